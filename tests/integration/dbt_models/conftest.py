"""A night on which no source sent a row, built by dbt under an example's settings, and the macros as SQL.

Belongs here: what makes dbt run once for many cases. Does not belong here: what the SQL should answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tiny_shop import TinyShops

from dagster_project.assets.churn import CHURN_TABLES
from dagster_project.assets.models import CUSTOMER_CLV
from dagster_project.assets.voice import TABLES as VOICE_TABLES
from dagster_project.dbt_runner import DbtRunner, NodeResult
from dagster_project.keyed_hashes import padded_keys
from dagster_project.replaced_tables import replace_table_in_batches
from dagster_project.settings import PROJECT_ROOT, Settings, load_settings
from dagster_project.sources.identifiers import MAILBOX_SUFFIX

SECRET = "the shop's secret"  # noqa: S105
PROVENANCE = {
    "_source": "varchar",
    "_file": "varchar",
    "_loaded_at": "timestamp",
    "_load_id": "varchar",
    "_row_number": "bigint",
    "_is_deleted": "boolean",
}
UNREADABLE = {
    "source_name": "varchar",
    "table_name": "varchar",
    "file": "varchar",
    "row_number": "bigint",
    "reason": "varchar",
}
TYPED = {  # Parquet; every other file is text
    ("demo", "reviews"): {"stars": "bigint", "created_at": "timestamp", "updated_at": "timestamp"},
    ("demo", "social_mentions"): {
        "likes": "bigint",
        "shares": "bigint",
        "reach": "bigint",
        "created_at": "timestamp",
    },
    ("demo", "visits"): {"started_at": "timestamp", "count_pages": "bigint", "has_cart": "boolean"},
}
MODEL_TABLES = {
    "customer_clv": CUSTOMER_CLV,
    "customer_churn": CHURN_TABLES["customer_churn"],
    "text_sentiment": VOICE_TABLES["text_sentiment"],
}
"""What Python writes and SQL reads; an empty night has none of it."""
EVERYTHING_BUT_TESTS = "resource_type:model resource_type:seed !resource_type:test"

# Each case of a macro's name: the macro called on columns of these names.
MACROS = {
    "wilson_low": "{{ wilson_low('k', 'n') }}",
    "wilson_high": "{{ wilson_high('k', 'n') }}",
    "net_score_low": "{{ net_score_low('promoters', 'detractors', 'answers') }}",
    "net_score_high": "{{ net_score_high('promoters', 'detractors', 'answers') }}",
    "mean_low": "{{ mean_bound('n', 'total', 'total_squares', '-') }}",
    "mean_high": "{{ mean_bound('n', 'total', 'total_squares', '+') }}",
    "ratio": "{{ ratio('k', 'n') }}",
    "ratio_low": "{{ ratio_bound('n', 'y', 'x', 'yy', 'xx', 'yx', '-') }}",
    "ratio_high": "{{ ratio_bound('n', 'y', 'x', 'yy', 'xx', 'yx', '+') }}",
    "odds_low": "{{ odds_bound('k', 'other', '-') }}",
    "odds_high": "{{ odds_bound('k', 'other', '+') }}",
    "multiple_low": "{{ multiple_bound('a', 'a_low', 'a_high', 'b', 'b_low', 'b_high', '-') }}",
    "multiple_high": "{{ multiple_bound('a', 'a_low', 'a_high', 'b', 'b_low', 'b_high', '+') }}",
    "variation": "{{ variation('n', 'total', 'total_squares') }}",
    "keyed_hash": "{{ keyed_hash('written') }}",
    "key_of": "{{ key_of('source', 'id') }}",
    "nullable_key_of": "{{ nullable_key_of('source', 'id') }}",
    "business_date": "{{ business_date('instant') }}",
    "local_to_utc": "{{ local_to_utc('wall_time') }}",
    "months_between": "{{ months_between('earlier', 'later') }}",
    "months_from_to": "{{ months_from_to('earlier', 'later') }}",
    "next_anniversary": "{{ next_anniversary('happened', 'after') }}",
    "text": "{{ text('written') }}",
    "number": "{{ number('written') }}",
    "product_amount": "{{ product_amount('units', 'price') }}",
    "whole_number": "{{ whole_number('written') }}",
    "moment": "{{ moment('written') }}",
    "yyyymmdd": "try_cast({{ yyyymmdd('written') }} as date)",
    "feedback_band": "{{ feedback_band('instrument', 'score', 'score_0_100') }}",
}


@dataclass(frozen=True)
class EmptyNight:
    """The build of a night without rows: every table is there, with its columns."""

    as_of: dt.date
    dbt: DbtRunner
    built: list[NodeResult]

    def unit_tests(self, folder: str) -> set[str]:
        """The unit tests that dbt found for this example in a folder of the project."""
        found = self.dbt.manifest()["unit_tests"].items()
        return {name for name, test in found if test["original_file_path"].startswith(f"{folder}/")}

    def named_columns(self) -> dict[str, set[str]]:
        """Schema and table of every model that was built, and the columns that its yml names."""
        nodes = self.dbt.manifest()["nodes"]
        built = [nodes[result.unique_id] for result in self.built if result.resource_type == "model"]
        return {f"{node['schema']}.{node['alias']}": set(node["columns"]) for node in built}

    def compiled_model(self, name: str) -> str:
        """A model's SQL as dbt ran it; beside it, under the name of a yml, lies what its unit tests made of it."""
        found = (self.dbt.target / "compiled").rglob(f"{name}.sql")
        [path] = (path for path in found if not any(part.endswith(".yml") for part in path.parts))
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def empty_night_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], EmptyNight]:
    """The empty night of an example, built at the first call."""
    nights: dict[str, EmptyNight] = {}

    def build(example: str) -> EmptyNight:
        if example not in nights:
            nights[example] = _built(example, tmp_path_factory.mktemp(example))
        return nights[example]

    return build


@pytest.fixture(scope="session")
def shops(empty_night_of: Callable[[str], EmptyNight]) -> Iterator[TinyShops]:
    """Shops of a few rows with their metrics, on the empty night of the built-in shop."""
    found = TinyShops(empty_night_of("demo"), ["loyalty_metrics"])
    yield found
    found.close()


@pytest.fixture(scope="session")
def macro_sql(empty_night_of: Callable[[str], EmptyNight]) -> dict[str, str]:
    """Every macro of `MACROS` as DuckDB's SQL, compiled in one go; the business zone is Europe/Berlin."""
    night, mark = empty_night_of("demo"), "\n-- next --\n"
    parts = night.dbt.compiled(mark.join(MACROS.values()), night.as_of).split(mark)
    return dict(zip(MACROS, parts, strict=True))


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own, with the session's hash keys set."""
    with duckdb.connect() as connection:
        inner, outer = padded_keys(SECRET)
        connection.execute("set variable hmac_inner = ?::blob", [inner])
        connection.execute("set variable hmac_outer = ?::blob", [outer])
        yield connection


@pytest.fixture
def answer(con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str]) -> Callable[..., Any]:
    """What a macro answers for one row: `answer("ratio", k="1", n="2")`, each column given as SQL."""

    def ask(macro: str, **columns: str) -> Any:
        row = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        [(value,)] = con.execute(f"select {macro_sql[macro]} from (select {row}) as given").fetchall()
        return value

    return ask


def _built(example: str, home: Path) -> EmptyNight:
    settings = load_settings(PROJECT_ROOT / "examples" / f"{example}.yaml", home=home)
    assert settings.as_of is not None
    dbt = DbtRunner(settings)
    dbt.warehouse.begin(settings.as_of, _empty_raw_views(settings), run="test")
    with dbt.warehouse.connect() as con:
        for table, columns in MODEL_TABLES.items():
            replace_table_in_batches(con, "models", table, [], columns)
    return EmptyNight(settings.as_of, dbt, dbt.build(EVERYTHING_BUT_TESTS, settings.as_of))


def _empty_raw_views(settings: Settings) -> dict[str, str]:
    views = {"unreadable_rows": _no_rows(UNREADABLE), "forgotten_records": _no_rows({"record_key": "varchar"})}
    for source, described in settings.sources.items():
        for table, chosen in described.tables.items():
            names = chosen.columns or tuple(field.name for field in chosen.fields)
            texts = dict.fromkeys(names, "varchar")
            addresses = [name for name, kind in chosen.identifiers.items() if kind == "email"]
            texts |= {f"{name}{MAILBOX_SUFFIX}": "varchar" for name in addresses}
            views[f"{source}__{table}"] = _no_rows(texts | TYPED.get((source, table), {}) | PROVENANCE)
    return views


def _no_rows(columns: dict[str, str]) -> str:
    return "select " + ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in columns.items()) + " where false"
