"""Rows of a service into the landing zone: pages of JSON asked for by a declaration, what changed since, no row twice.

dlt asks: pages, authentication, attempts with growing pauses, `Retry-After`. Values are landed as text, numbers with
the digits that were sent, what is nested as JSON. Where rows come in the order of their cursor they are landed in
slices, so that a fault costs what came after the last slice; else all or nothing. Services tell no deletions.

Belongs here: from pages to files of the inbox. Does not belong here: declarations (`declarations`), what is new
(`comparison.py`).
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources.comparison import NUMBER, TIME, Known
from dagster_project.sources.declarations import Declaration, Resource
from dagster_project.sources.engine import private_connection
from dagster_project.sources.inbox import Inbox
from dagster_project.sources.landing import Landed, Progress
from dagster_project.sources.tables import DELETED, SourceError, SourceTable, check_column_names, check_required_columns
from dagster_project.sql_text import literal, quoted_identifier

_CHUNK_ROWS = 10_000
_REFUSED = (401, 403)
_SECRET = "$token"  # noqa: S105 - what stands for the secret in a declaration
_LONGEST_PAUSE = 300.0

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RestService:
    """A connector to a service.

    Args:
        tables: The source's tables, each with a folder of its own that nobody else writes.
        declaration: How the service is asked.
        resources: The declared resource of each table.
        base_url: Where the service is.
        token_variable: The environment's variable with the secret, which is never shown.
        attempts: How often to ask for a page that the service does not give.
        timeout_seconds: How long to wait for a page.
        slice_rows: Rows landed at once, where they come in order.
        backoff: The first pause in seconds; each is twice the one before, unless the service names one.
    """

    tables: Sequence[SourceTable]
    declaration: Declaration
    resources: Mapping[str, str]
    base_url: str
    token_variable: str
    attempts: int = 8
    timeout_seconds: float = 60
    slice_rows: int = 50_000
    backoff: float = 1.0

    def land(
        self, table: SourceTable, landing: Path, loaded_at: dt.datetime, progress: Progress | None = None
    ) -> Landed:
        """Land what is new of a table; see `Connector`."""
        inbox, resource = Inbox(table, landing, loaded_at), self._resource(table)
        with inbox.opened() as scratch:
            order = TIME if resource.cursor_kind == "time" else NUMBER
            known = Known(table, landing, resource.key, resource.cursor, order, scratch)
            mark = known.high_water() if resource.since else None
            since = known.before(mark, resource.overlap) if mark else None
            rows, done = iter(self._rows(table, resource, since)), 0
            while gathered := _gather(islice(rows, self.slice_rows if resource.is_ordered else None), known.scratch):
                done += gathered.rows
                self._land_rows(inbox, known, table, resource, gathered)
                if progress is not None:
                    progress(self.resources[table.table], done, 0)
                if inbox.set_aside:
                    break
            if known.is_empty() and not inbox.set_aside:
                pq.write_table(
                    _schema(table.columns).append(pa.field(DELETED, pa.bool_())).empty_table(), inbox.next_file()
                )
                inbox.land(inbox.next_file())
        return inbox.sum()

    def examine(self) -> str:
        """Whether the service answers with every table's rows, by its first page."""
        for table in self.tables:
            next(iter(self._rows(table, self._resource(table), None)), None)
        return f"{len(self.tables)} tables of a service"

    def _resource(self, table: SourceTable) -> Resource:
        name = self.resources[table.table]
        try:
            return self.declaration.resources[name]
        except KeyError:
            raise table.error(
                f"the declaration has no resource {name!r}; set 'resource' to one of "
                f"{', '.join(self.declaration.resources)}"
            ) from None

    def _land_rows(
        self, inbox: Inbox, known: Known, table: SourceTable, resource: Resource, gathered: _Gathered
    ) -> None:
        place = f"resource {self.resources[table.table]!r}"
        check_column_names(table, gathered.names, place)
        check_required_columns(table, gathered.names, place)
        absent = {*resource.key, *filter(None, [resource.cursor])} - {*gathered.names}
        if absent:
            raise table.error(
                f"no row of {place} has {', '.join(map(repr, sorted(absent)))}, which the declaration names as key or "
                "cursor; correct the declaration"
            )
        fresh = inbox.sealed(gathered.without_repeats())
        if known.write_news(fresh, pq.read_schema(fresh), inbox.next_file()):
            inbox.land(inbox.next_file())

    def _rows(self, table: SourceTable, resource: Resource, since: str | None) -> Iterator[Row]:
        """The service's rows as it sends them; what is nested is as JSON has it, numbers as written."""
        params = dict(resource.endpoint.get("params", {}))
        if since is not None and resource.since is not None:
            params[resource.since.param] = _WRITTEN[resource.since.written_as](since)
        endpoint = resource.endpoint | {"params": params, "response_actions": [_checked(table, resource)]}
        name = self.resources[table.table]
        with self._plain_faults(table):
            from dlt.sources.rest_api import rest_api_resources

            described: Any = {"client": self._client(), "resources": [{"name": name, "endpoint": endpoint}]}
            [asked] = rest_api_resources(described)
            for row in asked:
                if not isinstance(row, dict):
                    raise table.error(f"resource {name!r} sent {type(row).__name__} where a row was expected")
                yield row

    def _client(self) -> dict[str, Any]:
        secret = os.environ.get(self.token_variable)
        if not secret:
            raise SourceError(
                f"source '{self.tables[0].source}' needs the variable {self.token_variable}, which is not set; set it "
                "in the environment to the service's access token"
            )
        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
        os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
        from dlt.sources.helpers.requests import Client

        session = Client(
            request_timeout=self.timeout_seconds,
            raise_for_status=False,
            request_max_attempts=self.attempts,
            request_backoff_factor=self.backoff,
            request_max_retry_delay=_LONGEST_PAUSE,
        ).session
        described = _with_secret(self.declaration.client, secret)
        return {**described, "base_url": self.base_url.rstrip("/") + "/", "session": session}

    @contextmanager
    def _plain_faults(self, table: SourceTable) -> Iterator[None]:
        """Turn what dlt raises within the block into ours, without addresses, which may hold a secret."""
        try:
            yield
        except ImportError:
            raise table.error("services need the package dlt; install loyalty-warehouse[rest]") from None
        except (SourceError, GeneratorExit):
            raise
        except Exception as fault:  # noqa: BLE001 - dlt wraps whatever the service and its own configuration raise
            raise self._told(table, fault) from None

    def _told(self, table: SourceTable, fault: BaseException) -> SourceError:
        cause: BaseException | None = fault
        while cause is not None and not isinstance(cause, SourceError | OSError | ValueError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, SourceError):
            return cause
        stays = "what was landed stays, run again to go on"
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in _REFUSED:
            return table.error(f"the service refused the token in {self.token_variable} ({status}); renew it: {stays}")
        if status is not None:
            tries = f" in {self.attempts} attempts" if status == 429 or status >= 500 else ""
            return table.error(f"the service answered {status}{tries}; {stays}")
        if isinstance(cause, OSError):
            return table.error(
                f"the service did not answer in {self.attempts} attempts ({type(cause).__name__}); {stays}"
            )
        return table.error(f"the service or its declaration cannot be read ({type(cause or fault).__name__})")


@dataclass(frozen=True)
class _Gathered:
    """Rows as Parquet files of text, with all their fields in the order in which they were first seen."""

    rows: int
    names: tuple[str, ...]
    files: tuple[Path, ...]

    def without_repeats(self) -> Path:
        """All rows in one file, in the order in which they came; a row that is sent again unchanged counts once."""
        target = self.files[0].with_name("fresh.parquet")
        columns = ", ".join(map(quoted_identifier, self.names))
        files = ", ".join(literal(str(file)) for file in self.files)
        order = "filename, file_row_number"
        with private_connection(spill_to=target.with_name("duckdb")) as con:
            con.execute(
                f"copy (select {columns} from read_parquet([{files}], union_by_name=true, filename=true, "
                f"file_row_number=true, hive_partitioning=false) qualify row_number() over (partition by {columns} "
                f"order by {order}) = 1 order by {order}) to {literal(str(target))} (format parquet)"
            )
        return target


def _gather(rows: Iterator[Row], scratch: Path) -> _Gathered | None:
    """Write rows down as they come, so that memory holds few of them; None where there are none."""
    count, names, files = 0, dict[str, None](), list[Path]()
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        fields = list(dict.fromkeys(name for row in chunk for name in row))
        columns = [pa.array([_as_text(row.get(name)) for row in chunk], pa.string()) for name in fields]
        files.append(scratch / f"page-{len(files):06d}.parquet")
        pq.write_table(pa.table(columns, schema=_schema(fields)), files[-1], compression="lz4")
        names |= dict.fromkeys(fields)
        count += len(chunk)
    return _Gathered(count, tuple(names), tuple(files)) if count else None


def _checked(table: SourceTable, resource: Resource) -> Callable[..., Any]:
    """A look at each page that was given: where rows should stand, dlt takes anything else for no rows at all."""
    [root] = re.findall(r"^[^.\[]+", resource.endpoint["data_selector"])[:1] or ["$"]

    def check(response: Any, *_: Any, **__: Any) -> Any:
        if not response.ok:
            return response
        import simplejson

        try:
            page = simplejson.loads(response.content, use_decimal=True)
        except ValueError:
            raise table.error(
                f"the service sent {response.headers.get('Content-Type')!r} where JSON was expected"
            ) from None
        if root != "$" and (not isinstance(page, dict) or root not in page):
            found = ", ".join(map(repr, page)) if isinstance(page, dict) else type(page).__name__
            raise table.error(f"a page of the service lacks {root!r}; found {found}")
        response.json = lambda **_: page
        return response

    return check


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    import simplejson

    return str(simplejson.dumps(value, use_decimal=True, ensure_ascii=False, separators=(",", ":")))


def _schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([pa.field(name, pa.string()) for name in names])


def _with_secret(described: Any, secret: str) -> Any:
    if isinstance(described, Mapping):
        return {name: _with_secret(part, secret) for name, part in described.items()}
    return secret if described == _SECRET else described


def _iso(since: str) -> str:
    return dt.datetime.fromisoformat(since).replace(tzinfo=dt.UTC).isoformat()


_WRITTEN: dict[str, Callable[[str], str]] = {
    "iso": _iso,
    "unix_seconds": lambda since: str(int(dt.datetime.fromisoformat(since).replace(tzinfo=dt.UTC).timestamp())),
    "number": str,
}
