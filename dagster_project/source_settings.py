"""Settings of sources: where rows come from, how they are written, what each feed promises. Part of `settings`.

What belongs here: one typed description per connector. What does not: secrets, which only the environment holds and
these settings name; bringing and reading (`sources`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from dagster_project.oversight import VARIABLE, Strict
from dagster_project.standard.tables import settings_of_table, standard_tables

IdentifierKind = Literal["email", "phone", "name", "birthday", "card", "handle"]
RecordKind = Literal["account", "guest_order"]
IDENTIFIER = "[a-z][a-z0-9_]{0,62}"
# settings of a table that say what is told and what blocks, and change no number
WATCHED_ONLY = ("stale_after_hours", "maximum_quarantined_share", "when_changed", "enumerations")


def known_time_zone(name: str) -> str:
    """The name of a time zone, if it is one.

    Raises:
        ValueError: The IANA data base has no such zone.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = f"'{name}' is not a time zone of the IANA data base; write it as 'Europe/London'"
        raise ValueError(msg) from None
    return name


class FixedWidthField(Strict):
    """A field of a fixed-width file: its name, its first character (from 1) and its width in characters."""

    name: str
    start: int = Field(ge=1)
    width: int = Field(ge=1)


class Feed(Strict):
    """What any feed promises: its columns, how old it may be, what happens when it comes otherwise than before.

    `time_zone` is that of its wall times; the business's unless set.
    """

    columns: tuple[str, ...] = ()
    optional_columns: tuple[str, ...] = ()
    is_optional: bool = False
    time_zone: Annotated[str, AfterValidator(known_time_zone)] | None = None
    stale_after_hours: float | None = Field(default=None, gt=0)
    maximum_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    when_changed: Literal["evolve", "freeze", "quarantine"] = "evolve"
    enumerations: tuple[str, ...] = ()
    identifiers: dict[str, IdentifierKind] = Field(default={})
    identifies: dict[RecordKind, str] = Field(default={}, max_length=1)

    @property
    def origin(self) -> str:
        """What the rows are read from, as a person names it."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The format or system, in one word."""
        raise NotImplementedError

    @property
    def pattern(self) -> str:
        """The glob that the names of its files match; empty where the shop names none."""
        return ""

    @property
    def has_deletions(self) -> bool:
        """Whether rows come that say of others that the source deleted them."""
        return False

    def named_columns(self) -> set[str]:
        """The columns that the settings name."""
        return {*self.columns, *self.optional_columns}

    @model_validator(mode="after")
    def _named_columns_are_columns(self) -> Feed:
        unknown = {*self.enumerations} - self.named_columns()
        if unknown:
            raise ValueError(f"'enumerations' names {', '.join(sorted(unknown))}, which is none of the table's columns")
        unknown = {*self.identifiers, *self.identifies.values()} - self.named_columns()
        if unknown:
            names = ", ".join(sorted(unknown))
            raise ValueError(f"'identifiers' or 'identifies' names {names}, which is none of the table's columns")
        return self


class FileFeed(Feed):
    """One table of a source of files: which files, how they are written, which columns must be there."""

    files: str = Field(min_length=1)
    format: Literal["csv", "json_lines", "parquet", "xlsx", "fixed_width"] = "csv"
    fields: tuple[FixedWidthField, ...] = ()
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    escape: str = Field(default="", max_length=1)
    has_header: bool = True
    skip_lines: int = Field(default=0, ge=0)
    encoding: str = "utf-8"
    sheet: str | None = Field(default=None, min_length=1)
    is_snapshot: bool = False

    @property
    def origin(self) -> str:
        """The files' name or glob."""
        return f"files `{self.files}`"

    @property
    def kind(self) -> str:
        """The format."""
        return self.format

    @property
    def pattern(self) -> str:
        """The files' name or glob."""
        return self.files

    def named_columns(self) -> set[str]:
        """The columns, or the fields of a fixed-width line."""
        return super().named_columns() | {field.name for field in self.fields}

    @model_validator(mode="after")
    def _described(self) -> FileFeed:
        if self.format == "fixed_width" and not self.fields:
            raise ValueError("a fixed_width table needs 'fields', each with name, start and width")
        if self.format != "fixed_width" and not self.columns:
            raise ValueError("a table needs 'columns', the columns that must be in its files")
        if self.sheet is not None and self.format != "xlsx":
            raise ValueError(f"'sheet' is for xlsx; this table's format is {self.format}")
        return self


class SimulatedShop(Strict):
    """The size, the seed and the dirt of the built-in shop."""

    customers: int = Field(default=20_000, ge=100)
    days: int = Field(default=1_096, ge=90)
    last_day: dt.date = dt.date(2025, 12, 31)
    seed: int = 7
    dirt: Literal["none", "light", "moderate", "heavy"] = "moderate"


class ObjectStore(Strict):
    """How an S3-compatible store is reached; keys come from the environment, as AWS's own tools read them."""

    endpoint: str | None = None
    region: str | None = None
    is_anonymous: bool = False
    timeout_seconds: float = Field(default=60, gt=0)
    attempts: int = Field(default=5, ge=1)


class Source(Strict):
    """What every source has: named tables; those of a standard one come under our names and need no SQL."""

    connector: str
    is_standard: bool = False
    tables: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _standard_tables(cls, told: Any) -> Any:
        """Fill in what the declaration of the standard tables says."""
        if not isinstance(told, dict) or not told.get("is_standard") or not isinstance(told.get("tables"), dict):
            return told
        tables = {
            name: settings_of_table(name, given or {}, told.get("connector", "files"))
            for name, given in told["tables"].items()
        }
        for name in tables:
            parent = standard_tables()[name].parent
            if parent and parent["of"] not in tables:
                raise ValueError(f"standard table '{name}' needs '{parent['of']}' beside it: send that, too")
        return {**told, "tables": tables}

    @model_validator(mode="after")
    def _table_names(self) -> Source:
        for name in self.tables:
            if not re.fullmatch(IDENTIFIER, name):
                raise ValueError(f"table name '{name}' must be snake case, like 'order_lines'")
        return self


class FileSource(Source):
    """A folder of files, on this machine or in an S3-compatible store (`s3://bucket/prefix`).

    A relative `folder` counts from the folder of the settings file.
    """

    connector: Literal["files"] = "files"
    folder: str = ""
    store: ObjectStore = ObjectStore()
    tables: dict[str, FileFeed]

    @model_validator(mode="after")
    def _has_a_folder(self) -> FileSource:
        if not self.folder:
            raise ValueError("a source of connector 'files' needs 'folder'")
        return self


class SimulatedSource(Source):
    """The built-in shop, made as files from its seed."""

    connector: Literal["simulated"]
    simulated: SimulatedShop = SimulatedShop()
    tables: dict[str, FileFeed]


class SqlFeed(Feed):
    """One table of a database: what names a row, what grows when a row changes, how deletions are found."""

    table: str | None = None
    key: tuple[str, ...] = ()
    cursor: str | None = None
    overlap: float = Field(default=3_600, ge=0)
    finds_deletions: bool = True
    maximum_deleted_share: float = Field(default=0.2, ge=0, le=1)

    @property
    def origin(self) -> str:
        """The database's table."""
        return f"database table `{self.table}`" if self.table else "the database table of that name"

    @property
    def kind(self) -> str:
        """A database."""
        return "sql"

    @property
    def has_deletions(self) -> bool:
        """Where rows have a key; also of those found before `finds_deletions` was turned off."""
        return bool(self.key)

    @model_validator(mode="after")
    def _described(self) -> SqlFeed:
        if self.table is not None and not re.fullmatch(r"[^.\s]+(\.[^.\s]+)?", self.table):
            raise ValueError(f"'table' is '{self.table}'; write it as 'orders' or 'shop.orders'")
        if self.cursor and not self.key:
            raise ValueError("a table with a 'cursor' needs a 'key', or a changed row could not be told from a new one")
        if hashed := {*self.key, self.cursor} & {*self.identifiers}:
            raise ValueError(
                f"{', '.join(map(str, hashed))} is an identifier, which is hashed; take another key or cursor"
            )
        return self


class SqlSource(Source):
    """A PostgreSQL, MySQL or MariaDB database; its address, password included, stands in a variable."""

    connector: Literal["sql"]
    url_variable: str = Field(pattern=VARIABLE)
    attempts: int = Field(default=5, ge=1)
    timeout_seconds: int = Field(default=30, ge=1)
    slice_rows: int = Field(default=2_000_000, ge=1)
    tables: dict[str, SqlFeed]


class RestFeed(Feed):
    """One table of a service: which of the declaration's resources it is."""

    resource: str | None = None

    @property
    def origin(self) -> str:
        """The service's resource."""
        return f"resource `{self.resource}`" if self.resource else "the resource of that name"

    @property
    def kind(self) -> str:
        """A service."""
        return "rest"


class RestSource(Source):
    """A service that answers in pages of JSON: a declaration says how it is asked, the environment holds the token."""

    connector: Literal["rest"]
    declaration: str = Field(min_length=1)
    base_url: str = Field(pattern="^https?://")
    token_variable: str = Field(pattern=VARIABLE)
    values: dict[str, str] = Field(default_factory=dict)
    attempts: int = Field(default=8, ge=1)
    timeout_seconds: float = Field(default=60, gt=0)
    slice_rows: int = Field(default=50_000, ge=1)
    tables: dict[str, RestFeed]


AnySource = Annotated[FileSource | SimulatedSource | SqlSource | RestSource, Field(discriminator="connector")]
CONNECTORS = ("files", "simulated", "sql", "rest")


def feed_time_zones(sources: Mapping[str, AnySource]) -> dict[str, str]:
    """The time zones of feeds that have one of their own, by raw table."""
    return {
        f"{source}__{table}": feed.time_zone
        for source, described in sorted(sources.items())
        for table, feed in sorted(described.tables.items())
        if feed.time_zone is not None
    }


def has_deletions(sources: Mapping[str, AnySource]) -> bool:
    """Whether some source can tell that it deleted a row."""
    return any(feed.has_deletions for source in sources.values() for feed in source.tables.values())
