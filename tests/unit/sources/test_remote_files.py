"""Files in an S3-compatible store: moto's server stands for it, and Arrow's own client puts the objects there."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs
from source_cases import FIRST_NIGHT, Rows

from dagster_project.sources import remote_files
from dagster_project.sources.connectors import RemoteFiles
from dagster_project.sources.remote_files import Store, mirror
from dagster_project.sources.tables import SourceError, SourceTable


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key-id")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-word")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Any:
    """A bucket of the test's own, as a file system and a path in it."""
    address = endpoint.removeprefix("http://")
    client = fs.S3FileSystem(endpoint_override=address, scheme="http", region="us-east-1", allow_bucket_creation=True)
    name = f"shop-{abs(hash(request.node.name)) % 10**9}"
    client.create_dir(name)
    return fs.SubTreeFileSystem(name, client)


@pytest.fixture
def store(endpoint: str, bucket: Any) -> Store:
    name = bucket.base_path.strip("/")
    return Store(f"s3://{name}/exports", endpoint=endpoint, region="us-east-1", timeout_seconds=5, attempts=1)


@pytest.fixture
def days(tmp_path: Path) -> SourceTable:
    return SourceTable("shop", "orders", tmp_path / "inbox", "orders_*.csv", "csv", ("order_id",))


def put(bucket: Any, name: str, content: bytes) -> None:
    with bucket.open_output_stream(name, compression=None) as out:
        out.write(content)


def test_new_and_changed_objects_are_fetched_and_landed_once(
    bucket: Any, store: Store, days: SourceTable, landing: Path, landed_rows: Rows
) -> None:
    put(bucket, "exports/orders_1.csv", b"order_id\no1\n")
    put(bucket, "exports/orders_2.csv.gz", gzip.compress(b"order_id\no2\n"))
    put(bucket, "exports/notes.txt", b"not ours")
    put(bucket, "exports/old/orders_0.csv", b"order_id\no0\n")
    put(bucket, "elsewhere/orders_3.csv", b"order_id\no3\n")
    connector = RemoteFiles([days], store)
    assert connector.examine() == "2 files"
    assert connector.land(days, landing, FIRST_NIGHT).files_new == 2
    assert [row[0] for row in landed_rows(days)] == ["o1", "o2"]
    assert (mirror(store, days), connector.land(days, landing, FIRST_NIGHT).files_new) == (0, 0)
    put(bucket, "exports/orders_1.csv", b"order_id\nO1\n")  # as large as before, and perhaps in the same second
    assert connector.land(days, landing, FIRST_NIGHT).files_new == 1
    assert [row[0] for row in landed_rows(days)] == ["O1", "o2"]


def test_object_that_is_gone_leaves_the_mirror_and_stays_landed(
    bucket: Any, store: Store, days: SourceTable, landing: Path, landed_rows: Rows
) -> None:
    put(bucket, "exports/orders_1.csv", b"order_id\no1\n")
    put(bucket, "exports/orders_2.csv", b"order_id\no2\n")
    connector = RemoteFiles([days], store)
    connector.land(days, landing, FIRST_NIGHT)
    bucket.delete_file("exports/orders_1.csv")
    assert connector.land(days, landing, FIRST_NIGHT).files_seen == 1
    assert [row[0] for row in landed_rows(days)] == ["o1", "o2"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("orders_*.csv", ["orders_1.csv"]),
        ("**/orders_?.csv", ["2025/b/orders_2.csv", "orders_1.csv"]),
        ("20[!0]?/*/*.csv", ["2025/b/orders_2.csv"]),
        ("a[b]c+d.csv", ["a[b]c+d.csv"]),
    ],
)
def test_patterns_mean_in_a_store_what_they_mean_in_a_folder(
    pattern: str, found: list[str], bucket: Any, store: Store, days: SourceTable
) -> None:
    for name in ("orders_1.csv", "2025/b/orders_2.csv", "orders_10.csv.bak", "a[b]c+d.csv", "abc+d.csv.x"):
        put(bucket, f"exports/{name}", b"order_id\n")
    table = replace(days, files=pattern)
    assert mirror(store, table) == len(found)
    there = sorted(path.relative_to(table.folder).as_posix() for path in table.folder.rglob("*.csv"))
    assert there == found


def test_an_interrupted_mirror_keeps_what_it_fetched(
    bucket: Any, store: Store, days: SourceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        put(bucket, f"exports/orders_{day}.csv", b"order_id\n")
    fetch, fetched = remote_files._fetch, []

    def failing(*arguments: Any) -> None:
        if len(fetched) == 2:
            raise OSError("connection reset")
        fetched.append(arguments)
        fetch(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(remote_files, "_fetch", failing)
        with pytest.raises(SourceError, match=r"could not be read \(connection reset\).*what was fetched is kept"):
            mirror(store, days)
    assert mirror(store, days) == 1


def test_object_that_changes_while_it_is_fetched_is_refused(
    bucket: Any, store: Store, days: SourceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "exports/orders_1.csv", b"order_id\no1\n")
    etag, told = remote_files._etag, []

    def then_overwritten(*arguments: Any) -> str:
        found = etag(*arguments)
        if not told:
            put(bucket, "exports/orders_1.csv", b"order_id\no9\n")
        told.append(found)
        return found

    monkeypatch.setattr(remote_files, "_etag", then_overwritten)
    with pytest.raises(SourceError, match=r"object 'orders_1\.csv' changed while it was fetched"):
        mirror(store, days)
    assert not (days.folder / "orders_1.csv").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "s3://"}, "names no bucket; write it as s3://bucket/prefix"),
        ({"url": "s3://no-such-bucket/exports"}, "no file matches 'orders_*.csv'"),
        ({"endpoint": "http://127.0.0.1:9"}, "store 's3://"),
    ],
)
def test_store_that_cannot_be_read_is_told_in_one_line(
    change: dict[str, str], message: str, store: Store, days: SourceTable, landing: Path
) -> None:
    with pytest.raises(SourceError) as caught:
        RemoteFiles([days], replace(store, **change)).land(days, landing, FIRST_NIGHT)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret-word" not in str(caught.value)
