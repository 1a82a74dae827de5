"""Empty files of the standard tables, for a shop to fill: headers, settings, and a page of every column.

Belongs here: what `loyalty init --template` writes. Does not belong here: the tables (`standard`), guessing.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from dagster_project.column_words import description_of
from dagster_project.onboarding.staging_models import environment
from dagster_project.sources.tables import SourceError
from dagster_project.standard.tables import StandardColumn, StandardTable, standard_tables

NEEDED = ("orders", "order_lines")
FORMS = {
    "text": "text", "code": "text, in any case", "capitals": "text, in any case",
    "hash": "text, stored as a keyed hash", "day": "day like 2025-01-31",
    "moment": "time like 2025-01-31 13:45:00 by the business clock, or with its offset",
    "whole": "whole number", "units": "whole number", "money": "number like 1234.56", "rate": "number like 1.0834",
    "share": "number from 0 to 1", "flag": "true or false",
}  # fmt: skip
NEEDS = {"filled": "in each row", "present": "the column; a row may leave it blank", "optional": ""}


def write_standard_files(target: Path, name: str, time_zone: str, currency: str) -> list[Path]:
    """Write a folder that runs once its orders are filled in.

    Args:
        target: folder to write into; made where it is not there.
        name: of the shop.
        time_zone: of its business day.
        currency: of its reports.

    Returns:
        What was written.

    Raises:
        SourceError: the folder has settings already.
    """
    if (target / "loyalty.yaml").exists():
        raise SourceError(f"{target} has a loyalty.yaml already; choose another folder, or remove it")
    deliveries = target / "deliveries"
    tables = standard_tables()
    texts = {deliveries / f"{table.name}.csv": _header(table) for table in tables.values()}
    templates = environment()
    told = {"name": name, "time_zone": time_zone, "currency": currency, "folder": deliveries.name,
            "tables": [_described(table) for table in tables.values()]}  # fmt: skip
    texts[target / "loyalty.yaml"] = templates.get_template("standard_loyalty.yaml.j2").render(told)
    texts[target / "README.md"] = templates.get_template("standard_README.md.j2").render(told)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _header(table: StandardTable) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(table.columns)
    return line.getvalue()


def _described(table: StandardTable) -> dict[str, object]:
    return {
        "name": table.name,
        "title": table.title,
        "key": ", ".join(table.key),
        "is_needed": table.name in NEEDED,
        "columns": [(column.name, _form(table, column), NEEDS[column.need], description_of(column.name))
                    for column in table.columns.values()],
    }  # fmt: skip


def _form(table: StandardTable, column: StandardColumn) -> str:
    codes = table.one_of.get(column.name)
    return f"one of {', '.join(codes)}" if codes else FORMS[column.kind]
