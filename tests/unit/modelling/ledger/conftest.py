"""The drawn shop, opened anew for each test that changes it, and its ledger."""

from collections.abc import Callable, Iterator

import duckdb
import pytest
from ledger_shop import AS_OF, SETTINGS, as_frame, drawn_shop

from dagster_project.modelling.ledger.night import ledger_night
from dagster_project.modelling.value_night import Reading


@pytest.fixture
def open_shop() -> Iterator[Callable[[], duckdb.DuckDBPyConnection]]:
    """Opens the shop, as often as is wanted."""
    opened = []

    def make() -> duckdb.DuckDBPyConnection:
        opened.append(drawn_shop())
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture(scope="package")
def night():
    """The ledger of the shop, not to be changed."""
    with drawn_shop() as connection:
        yield ledger_night(Reading(connection, AS_OF), SETTINGS)


@pytest.fixture(scope="package")
def ledger(night):
    """Its rows."""
    return as_frame(night)
