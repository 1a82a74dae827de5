"""What columns of staging models hold, in the words of the project's own models.

Belongs here: finding a column's description. Does not belong here: writing models (`onboarding`, `standard`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import yaml

from dagster_project.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_models" / "models"
_OWN = {
    "is_return": "Whether the line takes goods back.",
    "total_amount": "What the order's lines come to, as the source states it.",
    "updated_at": "When the source last changed the row.",
    "country_code": "ISO 3166 country as the source writes it; null where unknown.",
}


def description_of(column: str) -> str:
    """What a column of a staging model holds."""
    return _OWN.get(column) or _told_descriptions().get(column, "As the source sends it.")


@cache
def _told_descriptions() -> Mapping[str, str]:
    found: dict[str, str] = {}
    paths = [
        *sorted((MODELS / "intermediate").glob("int_*_united.yml")),
        *sorted((MODELS / "staging" / "demo").glob("stg_*.yml")),
    ]
    for path in paths:
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            for column in model.get("columns", []):
                found.setdefault(column["name"], " ".join(str(column.get("description", "")).split()))
    return found
