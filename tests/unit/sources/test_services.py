"""A service in pages: every row once, whatever happens on the way, and faults are told without secrets."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from paged_service import Answer, PagedService

from dagster_project.settings import load_settings
from dagster_project.sources.configured import connectors
from dagster_project.sources.declarations import read_declaration
from dagster_project.sources.landing import Landed, raw_select_sql
from dagster_project.sources.protection import Protection
from dagster_project.sources.rest_connector import RestService
from dagster_project.sources.tables import SourceError, SourceTable

NIGHT = dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)
BUSY: Answer = (429, {"Retry-After": "1"}, b"{}")
BROKEN: Answer = (500, {}, b"<html>")
EXPIRED: Answer = (401, {}, b"{}")


def order(number: int, **fields: Any) -> dict[str, Any]:
    at = dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)
    return {"id": number, "total": "19.90", "updated_at": at.isoformat(), "lines": [{"sku": "ü", "n": 1}]} | fields


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[PagedService]:
    monkeypatch.setenv("SHOP_TOKEN", "secret-word")
    with PagedService(rows=[order(number) for number in range(1, 8)]).running() as running:
        yield running


class Visits:
    """A connector to the service, and the nights it lands."""

    def __init__(self, service: PagedService, root: Path, declaration: str = "shopify", table: str = "orders") -> None:
        self.landing, self.night = root / "landing", NIGHT
        self.table = SourceTable("shop", table, root / "inbox", "*.parquet", "parquet", ("id",))
        self.connector = RestService(
            tables=[self.table],
            declaration=read_declaration("shop", declaration, {"survey_id": "s1"}),
            resources={table: table},
            base_url=service.url,
            token_variable="SHOP_TOKEN",  # noqa: S106
            attempts=3,
            timeout_seconds=5,
            slice_rows=4,
            backoff=0.01,
        )

    def land(self) -> Landed:
        self.night += dt.timedelta(days=1)
        return self.connector.land(self.table, self.landing, self.night)

    def rows(self, columns: str = "id") -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            found = raw_select_sql(self.table, self.landing)
            return con.execute(f"select {columns} from ({found}) order by _loaded_at, _file, _row_number").fetchall()

    def fault(self) -> str:
        with pytest.raises(SourceError) as caught:
            self.land()
        assert "secret-word" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def visits(service: PagedService, tmp_path: Path) -> Visits:
    return Visits(service, tmp_path)


def ids(*numbers: int) -> list[tuple[str]]:
    return [(str(number),) for number in numbers]


def test_every_row_is_landed_as_it_was_written_and_again_none(visits: Visits) -> None:
    assert visits.land().rows_new == 7
    assert visits.rows("id, total, lines")[0] == ("1", "19.90", '[{"sku":"ü","n":1}]')
    assert visits.rows() == ids(*range(1, 8))
    assert visits.land().rows_new == 0


def test_what_changed_since_is_asked_for_and_is_a_new_version(visits: Visits, service: PagedService) -> None:
    visits.land()
    service.rows = [*service.rows[1:], order(1, updated_at=order(9)["updated_at"], total="5"), order(10)]
    service.asked.clear()
    assert visits.land().rows_new == 2
    assert service.asked[0][1]["updated_at_min"] == "2025-01-07T23:00:00+00:00"
    assert visits.rows()[7:] == ids(1, 10)


@pytest.mark.parametrize("fault", [BROKEN, (503, {}, b""), (200, {}, b'{"orders"')])
def test_a_page_that_fails_is_asked_for_again_or_stops_the_landing(
    fault: Answer, visits: Visits, service: PagedService
) -> None:
    service.faults = {2: fault}
    if fault[0] == 200:
        assert "where JSON was expected" in visits.fault()
    assert visits.land().rows == 7
    assert visits.rows() == ids(*range(1, 8))


def test_a_limit_of_requests_is_waited_for_as_long_as_the_service_says(visits: Visits, service: PagedService) -> None:
    service.faults, began = {2: BUSY}, time.monotonic()
    visits.land()
    assert time.monotonic() - began >= 1
    assert visits.rows() == ids(*range(1, 8))


def test_a_service_that_stays_broken_keeps_what_came_before_and_is_gone_on_with(
    visits: Visits, service: PagedService
) -> None:
    service.faults = dict.fromkeys(range(4, 7), BROKEN)
    assert visits.fault() == (
        "shop.orders: the service answered 500 in 3 attempts; what was landed stays, run again to go on"
    )
    assert visits.rows() == ids(1, 2, 3, 4)
    assert visits.land().rows_new == 3
    assert visits.rows() == ids(*range(1, 8))


def test_a_token_that_expires_amid_the_pages_is_told_and_its_successor_goes_on(
    visits: Visits, service: PagedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.faults = {3: EXPIRED}
    assert "the service refused the token in SHOP_TOKEN (401); renew it" in visits.fault()
    service.token = "another"  # noqa: S105
    assert "refused the token" in visits.fault()
    monkeypatch.setenv("SHOP_TOKEN", "another")
    assert visits.land().rows == 7
    monkeypatch.delenv("SHOP_TOKEN")
    assert "needs the variable SHOP_TOKEN, which is not set" in visits.fault()


def test_pages_of_another_size_and_pages_that_come_twice_lose_and_double_nothing(
    visits: Visits, service: PagedService
) -> None:
    def smaller() -> None:
        service.page_size = 1

    def again() -> Answer:
        return service._page("/orders.json", {"page_info": "1"})

    service.faults = {2: smaller, 3: again}
    assert visits.land().rows == 7
    assert visits.rows() == ids(*range(1, 8))


def test_a_page_without_rows_where_they_should_stand_is_no_empty_page(visits: Visits, service: PagedService) -> None:
    service.faults = {1: (200, {}, b'{"errors": "moved"}')}
    assert visits.fault() == "shop.orders: a page of the service lacks 'orders'; found 'errors'"
    service.faults, service.rows, service.asked = {}, [], []
    assert visits.land().rows == 0


def test_a_silent_service_is_not_waited_for_without_end(visits: Visits, service: PagedService) -> None:
    def silent() -> None:
        time.sleep(0.4)

    service.faults = dict.fromkeys(range(1, 4), silent)
    visits.connector = replace(visits.connector, timeout_seconds=0.1)
    assert "the service did not answer in 3 attempts (ReadTimeout)" in visits.fault()


def test_refunds_are_rows_of_their_own_among_their_orders(service: PagedService, tmp_path: Path) -> None:
    visits = Visits(service, tmp_path, table="refunds")
    day = "2025-01-05T00:00:00+00:00"
    service.rows[3]["refunds"] = [
        {"id": 1, "order_id": 4, "created_at": day},
        {"id": 2, "order_id": 4, "created_at": day},
    ]
    assert visits.land().rows == 2
    assert visits.rows("id, order_id") == [("1", "4"), ("2", "4")]
    assert visits.land().rows_new == 0


def test_answers_of_a_survey_follow_the_links_of_its_pages(service: PagedService, tmp_path: Path) -> None:
    service.cursor = "date_modified"
    service.rows = [{"id": str(n), "date_modified": f"2025-01-0{n}T00:00:00+00:00", "pages": []} for n in range(1, 6)]
    visits = Visits(service, tmp_path, "surveymonkey", "responses")
    assert visits.land().rows == 5
    assert {path for path, _ in service.asked} == {"/surveys/s1/responses/bulk"}
    assert visits.land().rows_new == 0


def test_identifiers_are_hashed_before_they_are_compared_and_landed(service: PagedService, tmp_path: Path) -> None:
    visits = Visits(service, tmp_path)
    protection = Protection(tmp_path / "home", (("email", "email"),), ("account", "id"))
    visits.table = replace(visits.table, protection=protection)
    visits.connector = replace(visits.connector, tables=[visits.table])
    service.rows = [order(number, email=f"Person{number}@example.com") for number in range(1, 8)]
    assert visits.land().rows_new == 7
    assert visits.land().rows_new == 0
    assert len(set(visits.rows("email, email__mailbox"))) == 7
    service.rows[6]["email"] = "other@example.com"
    assert visits.land().rows_new == 1
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "home" not in path.parents]
    assert not any(b"example.com" in path.read_bytes() for path in kept)
    with duckdb.connect() as con:
        cells = con.execute(
            f"select columns(*)::varchar from ({raw_select_sql(visits.table, visits.landing)})"
        ).fetchall()
    assert not any("example.com" in cell for row in cells for cell in row if cell)


def test_a_service_is_chosen_in_the_settings(service: PagedService, tmp_path: Path) -> None:
    config = tmp_path / "loyalty.yaml"
    config.write_text(
        "business: {name: Shop, time_zone: UTC, currency: EUR, first_night: 2025-01-01}\n"
        f"home: {tmp_path / 'home'}\n"
        "sources:\n  shop:\n    connector: rest\n    declaration: shopify\n"
        f"    base_url: {service.url}\n    token_variable: SHOP_TOKEN\n"
        "    tables: {orders: {columns: [id]}, purchases: {resource: orders, columns: [id, updated_at]}}\n"
    )
    connector = connectors(load_settings(config))["shop"]
    assert connector.examine() == "2 tables of a service"
    assert [connector.land(table, tmp_path / "landing", NIGHT).rows for table in connector.tables] == [7, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no declaration"),
        ("client: {}\nresources: {orders: {key: [id], endpoint: {path: orders}}}", "'endpoint' needs data_selector"),
        ("client: {}\nresources: {orders: {key: [], endpoint: {}}}", "is not usable"),
        (
            "client: {}\nresources: {a: {key: [id], endpoint: {path: '{shop}', data_selector: a}}}",
            "path '{shop}' needs the value 'shop'; add it to 'values'",
        ),
        (
            "client: {}\nresources: {a: {key: [id], is_ordered: true, endpoint: {path: a, data_selector: a}}}",
            "need a 'cursor'",
        ),
    ],
)
def test_a_declaration_that_is_not_usable_is_told(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read_declaration("shop", str(path), {})
    assert message in str(caught.value)
