"""The dbt project of one shop: the shipped one, with the shop's own models and questions beside it where it has some.

What belongs here: which folders and files make the project, and which entities the shop's sources stage. What does not:
running dbt (`dbt_runner.py`), what `loyalty init` writes into a shop's folder (`onboarding`).
"""

from __future__ import annotations

import os
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.warehouse import write_atomically

DBT_PROJECT = PROJECT_ROOT / "dbt_models"
OWN_MODELS = "shop_models"  # as dbt_project.yml calls the folder of a shop's own models
QUESTIONS = "feedback_questions.csv"
ENTITIES = (
    "customers", "contacts", "products", "orders", "order_lines", "refunds", "feedback", "survey_invitations",
    "support_contacts", "support_events", "mentions", "texts", "exchange_rates", "point_events",
    "tier_changes", "referrals", "campaigns", "campaign_messages", "subscription_events", "visits", "costs",
)  # fmt: skip


class ShopProjectError(RuntimeError):
    """A shop's folder that cannot stand beside the project; the message says what was found and what to do."""


def staged_entities(settings: Settings) -> dict[str, list[str]]:
    """Entity → the sources, in name order, that have a staging model for it."""
    sources = sorted(settings.sources)
    return {
        entity: [source for source in sources if staging_file(settings, source, f"stg_{source}__{entity}.sql")]
        for entity in ENTITIES
    }


def staging_file(settings: Settings, source: str, name: str) -> Path | None:
    """A file beside the staging models of a source, the project's or the shop's own; None where there is none."""
    paths = (folder / "staging" / source / name for folder in model_folders(settings))
    return next((path for path in paths if path.exists()), None)


def model_folders(settings: Settings) -> list[Path]:
    """Where models lie: the project's, and the shop's own where it has some."""
    own = [settings.shop_folder / "models"] if settings.shop_folder else []
    return [DBT_PROJECT / "models", *own]


def project_files(settings: Settings) -> list[Path]:
    """Every file that a parse reads."""
    folders = [DBT_PROJECT / folder for folder in ("macros", "seeds", "tests")] + model_folders(settings)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    if (own := _own_questions(settings)) is not None:
        files.append(own)
    return [*files, DBT_PROJECT / "dbt_project.yml", DBT_PROJECT / "profiles.yml"]


def project_folder(settings: Settings, beside: Path) -> Path:
    """The folder that dbt is told: the project's own, or for a shop with a folder one of links to both.

    Args:
        settings: of the shop.
        beside: where the folder of links may be made; its links are set anew where they point elsewhere.

    Raises:
        ShopProjectError: the shop's questions do not have the registry's columns.
    """
    if settings.shop_folder is None:
        return DBT_PROJECT
    linked = beside / "project"
    seeds = linked / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for path in DBT_PROJECT.iterdir():
        if not path.name.startswith(".") and path.name != "seeds":
            _link(linked / path.name, path)
    for path in (DBT_PROJECT / "seeds").iterdir():
        if path.name != QUESTIONS:
            _link(seeds / path.name, path)
    _link(linked / OWN_MODELS, settings.shop_folder / "models")
    write_atomically(seeds / QUESTIONS, _questions(settings))
    return linked


def _link(link: Path, path: Path) -> None:
    if link.is_symlink() and link.readlink() == path:
        return
    link.unlink(missing_ok=True)
    os.symlink(path, link)


def _own_questions(settings: Settings) -> Path | None:
    path = settings.shop_folder / "seeds" / QUESTIONS if settings.shop_folder else None
    return path if path is not None and path.exists() else None


def _questions(settings: Settings) -> str:
    """The registry of questions with the shop's own lines behind the project's."""
    registry = (DBT_PROJECT / "seeds" / QUESTIONS).read_text(encoding="utf-8")
    own = _own_questions(settings)
    if own is None:
        return registry
    expected, _, _ = registry.partition("\n")
    header, _, lines = own.read_text(encoding="utf-8-sig").replace("\r\n", "\n").partition("\n")
    if header.strip() != expected:
        raise ShopProjectError(f"{own} begins with '{header.strip()}', expected '{expected}': write its columns so")
    return registry.rstrip("\n") + "\n" + lines
