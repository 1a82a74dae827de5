"""Reaching a database: its address from the environment, sessions of pinned formats, its faults in our words.

Belongs here: connecting. Does not belong here: tables and queries (`database_tables.py`), landing (`sql_connector.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from dagster_project.sources.tables import SourceError

_DRIVERS = {
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_POSTGRES_SESSION = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c extra_float_digits=1 -c bytea_output=hex"
)
_MYSQL_SESSION = "set session time_zone = '+00:00', session group_concat_max_len = 1048576"


class Disconnected(Exception):
    """The database does not answer, or no longer; another attempt may find it."""


@dataclass(frozen=True)
class Database:
    """A database and how it is reached.

    Args:
        source: Name of the source, for messages.
        variable: The environment's variable with its address, which holds the password and is never shown.
        timeout_seconds: How long to wait for a connection, and for a server that has gone silent.
        address: What to use instead of the variable, where a person gives it.
    """

    source: str
    variable: str
    timeout_seconds: int = 30
    address: str | None = field(default=None, repr=False)

    @property
    def url(self) -> Any:
        """The address, with our choice of driver.

        Raises:
            SourceError: The variable is not set, or holds no address.
        """
        sa = sqlalchemy_of(self.source)
        found = self.address or os.environ.get(self.variable)
        if not found:
            raise SourceError(
                f"source '{self.source}' needs the variable {self.variable}, which is not set; set it in the "
                "environment to the database's address, as postgresql://user:password@host/database"
            )
        try:
            url = sa.engine.make_url(found)
            url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
            url.get_dialect()
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError) as fault:
            raise SourceError(
                f"source '{self.source}': what {self.variable} holds is not a database's address "
                f"({type(fault).__name__}); expected postgresql://user:password@host/database or mysql://..."
            ) from None
        return url

    @contextmanager
    def engine(self) -> Iterator[Any]:
        """A SQLAlchemy engine with pinned session formats, whose connections end with the block."""
        url = self.url
        engine = sqlalchemy_of(self.source).create_engine(url, pool_size=1, connect_args=self._session(url))
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def plain_faults(self) -> Iterator[None]:
        """Turn what the drivers raise within the block into ours.

        Raises:
            Disconnected: The server cannot be reached or went away.
            SourceError: Whatever else the database refuses.
        """
        try:
            yield
        except SourceError:
            raise
        except Exception as fault:  # noqa: BLE001 - dlt and three drivers have no common one
            raise self._told(fault) from None

    def _session(self, url: Any) -> dict[str, Any]:
        """What the driver is told: time-outs, and formats that do not depend on the server's settings."""
        seconds = self.timeout_seconds
        if url.get_backend_name() == "postgresql":
            alive = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
            return {"connect_timeout": seconds, "options": _POSTGRES_SESSION, **alive}
        timeouts = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
        return {**timeouts, "charset": "utf8mb4", "init_command": _MYSQL_SESSION}

    def _told(self, fault: Exception) -> Exception:
        """Our error for one of the drivers', without the password and without the query and its values."""
        from sqlalchemy import exc

        cause: BaseException = fault
        while not isinstance(cause, exc.SQLAlchemyError | OSError) and cause.__cause__ is not None:
            cause = cause.__cause__
        text = " ".join(str(getattr(cause, "orig", None) or cause).split())[:300]
        if self.url.password:
            text = text.replace(self.url.password, "***")
        is_gone = isinstance(cause, exc.OperationalError | exc.InterfaceError | OSError)
        is_gone |= bool(getattr(cause, "connection_invalidated", False))
        return Disconnected(text) if is_gone else SourceError(f"{self.source}: the database refused ({text})")


def sqlalchemy_of(source: str) -> Any:
    """SQLAlchemy, with dlt made ready to be quiet.

    Raises:
        SourceError: One of them is not installed.
    """
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
    if any(find_spec(package) is None for package in ("dlt", "sqlalchemy")):  # dlt takes seconds to import
        raise SourceError(f"{source}: databases need the packages dlt and sqlalchemy; install loyalty-warehouse[sql]")
    import sqlalchemy as sa

    return sa
