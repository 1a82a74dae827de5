"""The dbt project of one shop: the shipped one, beside it the shop's own models and those of its standard tables.

What belongs here: which folders and files make the project, and which entities the shop's sources stage. What does not:
running dbt (`dbt_runner.py`), what `loyalty init` writes into a shop's folder (`onboarding`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from dagster_project.durable_files import write_atomically
from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.source_settings import AnySource
from dagster_project.standard.models import model_columns, standard_models
from dagster_project.standard.tables import standard_tables

DBT_PROJECT = PROJECT_ROOT / "dbt_models"
OWN_MODELS = "shop_models"  # as dbt_project.yml calls the folder of a shop's own models
STANDARD_MODELS = "standard_models"  # and that of the models of standard tables
QUESTIONS = "feedback_questions.csv"
ENTITIES = (
    "customers", "contacts", "products", "product_prices", "orders", "order_lines", "refunds", "feedback",
    "survey_invitations", "support_contacts", "support_events", "mentions", "texts", "exchange_rates", "point_events",
    "tier_changes", "badges", "referrals", "campaigns", "campaign_messages", "subscription_events", "visits", "costs",
)  # fmt: skip


class ShopProjectError(RuntimeError):
    """A shop's folder that cannot stand beside the project; the message says what was found and what to do."""


def staged_entities(settings: Settings) -> dict[str, list[str]]:
    """Entity → the sources, in name order, that have a staging model for it."""
    sources = sorted(settings.sources.items())
    return {
        entity: [name for name, source in sources if _is_staged(settings, name, source, entity)] for entity in ENTITIES
    }


def _is_staged(settings: Settings, name: str, source: AnySource, entity: str) -> bool:
    if source.is_standard:
        return entity in source.tables
    return staging_file(settings, name, f"stg_{name}__{entity}.sql") is not None


def staged_columns(settings: Settings, source: str, entity: str) -> set[str]:
    """The columns of a source's staging model: those that the yml beside it names.

    Raises:
        ShopProjectError: there is no such yml.
    """
    if settings.sources[source].is_standard:
        return set(model_columns(standard_tables()[entity]))
    model = f"stg_{source}__{entity}"
    path = staging_file(settings, source, f"{model}.yml")
    if path is None:
        raise ShopProjectError(f"{model}.sql has no {model}.yml beside it; expected one that names its columns")
    [described] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return {column["name"] for column in described["columns"]}


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
        ShopProjectError: the shop's questions do not have the registry's columns, or a standard source has the name
            of one with models.
    """
    standard = {name: list(source.tables) for name, source in settings.sources.items() if source.is_standard}
    for name in standard:
        if staging_file(settings, name, "") is not None:
            raise ShopProjectError(
                f"source '{name}' has staging models already, and a standard source has its own; name it otherwise"
            )
    if settings.shop_folder is None and not standard:
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
    if settings.shop_folder is not None:
        _link(linked / OWN_MODELS, settings.shop_folder / "models")
    _write(seeds / QUESTIONS, _questions(settings))
    _write_standard_models(linked / STANDARD_MODELS / "staging", standard)
    return linked


def _write_standard_models(folder: Path, standard: Mapping[str, Collection[str]]) -> None:
    texts = {
        folder / source / name: text
        for source, tables in standard.items()
        for name, text in standard_models(source, tables).items()
    }
    for stale in {path for path in folder.rglob("*") if path.is_file()} - texts.keys():
        stale.unlink()
    for path, text in texts.items():
        _write(path, text)


def _write(path: Path, text: str) -> None:
    """Write a file unless it says so already."""
    if not (path.exists() and path.read_text(encoding="utf-8") == text):
        write_atomically(path, text)


def _link(link: Path, path: Path) -> None:
    if link.is_symlink() and link.readlink() == path:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(path)


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
