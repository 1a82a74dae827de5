"""What `loyalty init` is pointed at: a folder of files, or a database.

Belongs here: telling the two apart, their tables, what the settings of the source say. Does not belong here: what the
tables hold (`profiling.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.onboarding.database_samples import SCHEMES, database_samples
from dagster_project.onboarding.samples import Sample, file_samples
from dagster_project.sources.database import Database
from dagster_project.sources.tables import SourceError

LOOKING = "init"
"""What messages call a source that has no name yet."""


@dataclass(frozen=True)
class Origin:
    """Where a shop's tables are.

    Attributes:
        place: as a person may be told it: without a password.
        name: a name for a shop that is given none.
        settings: what the settings of the source say, without its tables.
        samples: the tables.
        unreadable: names of what is no table, with the reason.
    """

    place: str
    name: str
    settings: Mapping[str, Any]
    samples: Sequence[Sample]
    unreadable: Sequence[tuple[str, str]] = ()

    @property
    def variable(self) -> str | None:
        """The variable of the environment that must hold the address; None where none is needed."""
        return self.settings.get("url_variable")


def origin_of(given: str, url_variable: str) -> Origin:
    """What is at a path or an address.

    Args:
        given: a folder, or a database's address.
        url_variable: name of the variable that is to hold the address at night; the address itself is written nowhere.

    Raises:
        SourceError: there is nothing that can be looked at.
    """
    if SCHEMES.match(given):
        return _database(given, url_variable)
    if "://" in given:
        scheme, _, _ = given.partition("://")
        raise SourceError(
            f"cannot look at {scheme}:// addresses; expected a folder, postgresql:// or mysql://: bring some of its "
            "files into a folder, start from there, and set the source's 'folder' or connector afterwards"
        )
    folder = Path(given)
    samples, unreadable = file_samples(folder)
    settings = {"connector": "files", "folder": str(folder.resolve())}
    return Origin(str(folder), folder.resolve().name, settings, samples, unreadable)


def _database(address: str, url_variable: str) -> Origin:
    database = Database(LOOKING, url_variable, address=address)
    url = database.url
    place = url.render_as_string(hide_password=True)
    settings = {"connector": "sql", "url_variable": url_variable}
    return Origin(place, str(url.database or "shop"), settings, database_samples(database))
