"""The standard tables agree with the entities that they become, and their settings say what is wrong with them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.entity_suites import suites_of_staged, suites_of_standard
from dagster_project.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from dagster_project.shop_project import ENTITIES, ShopProjectError, project_folder, staged_entities
from dagster_project.sources.configured import source_tables
from dagster_project.standard.models import KINDS, standard_models
from dagster_project.standard.tables import standard_tables
from expectations.suite import load_suites

TYPES = {
    "text": "varchar", "code": "varchar", "capitals": "varchar", "hash": "varchar",
    "moment": "timestamp", "day": "date", "whole": "bigint", "units": "bigint", "money": "money", "rate": "rate",
    "share": "double", "flag": "boolean",
}  # fmt: skip
OWN = {"orders": {"updated_at"}, "referrals": {"updated_at"}}
"""Columns that say which version of a row is the latest, and go no further."""
NOT_SENT = {"contacts": {"order_id", "mailbox"}, "refunds": {"customer_id", "currency_code"}}
"""Columns of entities that follow from others."""


def entities() -> dict[str, dict[str, str]]:
    """The columns of every entity and their types, as macros/entities.sql says them."""
    text = (PROJECT_ROOT / "dbt_models" / "macros" / "entities.sql").read_text(encoding="utf-8")
    shapes = re.findall(r"'(\w+)': \{\n((?:\s+'\w+': [^\n]+\n)+)", text)
    return {
        name: {column: kind.strip("'()") for column, kind in re.findall(r"'(\w+)': ('\w+'|\w+\(\))", body)}
        for name, body in shapes
    }


def written(folder: Path, tables: dict[str, Any], **more: Any) -> Path:
    config = folder / "loyalty.yaml"
    settings = {
        "business": {"name": "Tea house", "time_zone": "UTC", "currency": "EUR", "first_night": "2025-01-01"},
        "home": str(folder / "home"),
        "sources": {"shop": {"is_standard": True, "folder": str(folder), "tables": tables, **more}},
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return config


def loaded(folder: Path, tables: dict[str, Any], **more: Any) -> Settings:
    return load_settings(written(folder, tables, **more))


def test_every_entity_has_a_standard_table_of_its_columns_and_types() -> None:
    assert standard_tables().keys() == set(ENTITIES)
    for name, columns in entities().items():
        table = standard_tables()[name]
        own = OWN.get(name, ())
        sent = {column.name: TYPES[column.kind] for column in table.columns.values() if column.name not in own}
        expected = {column: kind for column, kind in columns.items() if column not in NOT_SENT.get(name, ())}
        assert sent == expected, name


def test_a_declaration_names_its_own_columns_alone() -> None:
    for table in standard_tables().values():
        named = {*table.key, *table.defaults, *table.known_from, *table.known_from.values(), *table.one_of}
        named |= {*table.identifiers, *table.identifies.values(), *([table.amount] if table.amount else [])}
        named |= set(table.happened_at)
        assert named <= table.columns.keys(), table.name
        assert {column.kind for column in table.columns.values()} <= KINDS.keys()


def test_models_name_their_source_and_leave_no_mark_unfilled() -> None:
    texts = standard_models("tea", list(standard_tables()))
    for name, text in texts.items():
        assert "[[" not in text, name
        if name.endswith(".sql"):
            assert text.startswith("-- Grain: one row per ")
            assert not re.search(r"(?<!\{)\{\w+\}", text), name
    assert "left join {{ ref('stg_tea__orders') }} as parents" in texts["stg_tea__order_lines.sql"]


def test_settings_of_a_standard_table_may_leave_out_what_its_declaration_says(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"orders": {}, "order_lines": {"files": "lines.csv.gz"}, "contacts": None})
    tables = settings.sources["shop"].tables
    assert tables["orders"].columns == ("order_id", "customer_id", "ordered_at", "order_status", "currency_code")
    assert "device" in tables["orders"].optional_columns
    assert (tables["orders"].pattern, tables["order_lines"].pattern) == ("orders.csv", "lines.csv.gz")
    assert tables["contacts"].identifiers["email"] == "email"


def test_a_standard_source_is_staged_without_sql_of_the_shop(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"orders": {}, "order_lines": {}})
    assert [entity for entity, sources in staged_entities(settings).items() if sources] == ["orders", "order_lines"]
    folder = project_folder(settings, tmp_path / "dbt")
    staged = folder / "standard_models" / "staging" / "shop"
    assert {path.name for path in staged.glob("*.sql")} == {"stg_shop__orders.sql", "stg_shop__order_lines.sql"}
    fewer = loaded(tmp_path, {"orders": {}})
    assert project_folder(fewer, tmp_path / "dbt") == folder
    assert {path.name for path in staged.glob("*.sql")} == {"stg_shop__orders.sql"}
    assert {suite.table for suite in suites_of_standard(settings)} == {"shop__orders", "shop__order_lines"}
    [orders] = suites_of_staged([suite for suite in load_suites("staging") if suite.table == "orders"], settings)
    assert "charges_are_never_negative" in {rule.name for rule in orders.rules}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"orders": {}, "sales": {}}, "'sales' is no standard table; expected one of customers, contacts, products,"),
        ({"orders": {}, "support_events": {}}, "standard table 'support_events' needs 'support_contacts' beside it"),
    ],
)
def test_what_no_standard_source_can_be_is_refused(tmp_path: Path, tables: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        loaded(tmp_path, tables)


def test_a_standard_source_cannot_have_the_name_of_one_with_models(tmp_path: Path) -> None:
    config = written(tmp_path, {"orders": {}})
    config.write_text(config.read_text(encoding="utf-8").replace("  shop:", "  olist:"), encoding="utf-8")
    with pytest.raises(ShopProjectError, match=r"source 'olist' has staging models already.*; name it otherwise"):
        project_folder(load_settings(config), tmp_path / "dbt")


def test_own_questions_stand_behind_the_registry_and_must_have_its_columns(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "seeds").mkdir()
    own = tmp_path / "seeds" / "feedback_questions.csv"
    header = "source_name,question_code,asked_in,instrument,question,scale_min,scale_max,is_reversed"
    own.write_text(f"{header}\nshop,q1,any,csat,overall_satisfaction,1,5,false\n", encoding="utf-8")
    settings = loaded(tmp_path, {"orders": {}}).model_copy(update={"shop_folder": tmp_path})
    registry = project_folder(settings, tmp_path / "dbt") / "seeds" / own.name
    with registry.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert (rows[-1]["source_name"], rows[-1]["scale_max"], rows[0]["source_name"]) == ("shop", "5", "demo")
    own.write_text("source,question\nshop,q1\n", encoding="utf-8")
    with pytest.raises(ShopProjectError, match="begins with 'source,question', expected 'source_name,question_code,"):
        project_folder(settings, tmp_path / "dbt")


def test_templates_are_empty_files_with_settings_that_read_them(tmp_path: Path) -> None:
    target = tmp_path / "tea"
    result = CliRunner().invoke(app, ["init", str(target), "--template", "--name", "Tea house", "--currency", "GBP"])
    assert result.exit_code == 0, result.output
    settings = load_settings(target / "loyalty.yaml")
    assert (settings.business.name, settings.business.currency) == ("Tea house", "GBP")
    assert settings.sources["shop"].tables.keys() == standard_tables().keys()
    assert settings.home == target / ".loyalty"
    assert f"What it leaves is in {target}/.loyalty" in result.output.replace("\n", " ")
    page = (target / "README.md").read_text(encoding="utf-8")
    assert "a home that holds another shop's versions is refused" in page.replace("\n", " ")
    for table in standard_tables().values():
        header = (target / "deliveries" / f"{table.name}.csv").read_text(encoding="utf-8")
        assert header == ",".join(table.columns) + "\n"
        assert f"\n## {table.name}" in page
    moved = load_settings(target.rename(tmp_path / "moved") / "loyalty.yaml")
    assert {table.folder for table in source_tables(moved)} == {tmp_path / "moved" / "deliveries"}
    target = tmp_path / "moved"
    again = CliRunner().invoke(app, ["init", str(target), "--template"])
    assert "has a loyalty.yaml already; choose another folder, or remove it" in again.output
    neither = CliRunner().invoke(app, ["init", str(tmp_path / "other")])
    assert (neither.exit_code, "expected either --from PATH_OR_URL" in neither.output) == (1, True)
