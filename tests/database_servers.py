"""Real database servers on loopback, started and ended by the tests that need them.

What belongs here: PostgreSQL and MariaDB as processes. What does not: what is in their tables.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
MARIADB = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server with one empty data base; `url` is how SQLAlchemy reaches it.

    Its folder is not pytest's, which is closed to the user that PostgreSQL runs as.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="server-")))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    url = ""
    power_cut = signal.SIGKILL

    def user(self) -> dict[str, Any]:
        """As whom the server runs, as `subprocess` takes it."""
        return {}

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.user())
        for _ in range(300):
            try:
                self.execute("select 1")
            except sa.exc.OperationalError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        assert self.process is not None
        self.process.send_signal(self.power_cut)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder)

    def execute(self, *statements: str) -> list[Any]:
        """Run statements in one transaction; gives the rows of the last one, if it has any."""
        engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool)
        try:
            with engine.begin() as con:
                result = None
                for statement in statements:
                    result = con.execute(sa.text(statement))
                return list(result) if result is not None and result.returns_rows else []
        finally:
            engine.dispose()


class Postgres(Server):
    """The newest PostgreSQL of this machine; as root it runs as user `postgres`, which it insists on."""

    power_cut = signal.SIGQUIT  # leaves the data as a crash does, and takes the processes of all connections along

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"postgresql+psycopg2://shop:secret-word@127.0.0.1:{self.port}/shop"

    def create(self) -> Postgres:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        initdb = [str(POSTGRES[-1].with_name("initdb")), "-D", str(self._data), "-U", "shop", "-A", "trust", "-N"]
        subprocess.run([*initdb, "-E", "UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **self.user())
        single = [str(POSTGRES[-1]), "--single", "-D", str(self._data), "postgres"]
        subprocess.run(single, input=b"create database shop\n", check=True, capture_output=True, **self.user())
        return self

    def command(self) -> list[str]:
        options = ["-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-c", "fsync=off"]
        return [str(POSTGRES[-1]), *options]

    def user(self) -> dict[str, Any]:
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    @property
    def _data(self) -> Path:
        return self.folder / "data"


class MariaDb(Server):
    """The MariaDB of this machine."""

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"mysql+pymysql://shop:secret-word@127.0.0.1:{self.port}/shop?charset=utf8mb4"

    def create(self) -> MariaDb:
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}", *self._as()]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        (self.folder / "first.sql").write_text(
            "create database if not exists shop character set utf8mb4;\n"
            "create user if not exists 'shop'@'127.0.0.1' identified by 'secret-word';\n"
            "grant all on *.* to 'shop'@'127.0.0.1';\n"
        )
        return self

    def command(self) -> list[str]:
        options = [f"--datadir={self.folder / 'data'}", "--bind-address=127.0.0.1", f"--port={self.port}"]
        options += [f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}", "--skip-name-resolve"]
        options += [f"--init-file={self.folder / 'first.sql'}"]
        return [str(MARIADB), "--no-defaults", *self._as(), *options]

    @staticmethod
    def _as() -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []
