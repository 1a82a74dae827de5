"""The pages of tables, columns and lineage: dbt's own, as one file that opens offline.

What belongs here: putting the parsed project into dbt's page, and taking out what would reach another machine or differ
from one run to the next. What the pages say stands in the yml beside each model and in `models/overview.md`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_project.durable_files import write_atomically

PROJECT = "loyalty"
PLACES = {"manifest": '"MANIFEST.JSON INLINE DATA"', "catalog": '"CATALOG.JSON INLINE DATA"'}
"""Where dbt's page takes its contents, written as its `docs generate --static` finds them."""
TRACKER = ("//d1fc8wv8zag5ca.cloudfront.net/2.9.0/sp.js", "fishtownanalytics.sinter-collect.com")
ICON = '<link rel="shortcut icon" href="${require(\'./assets/favicons/favicon.ico\')}"/>'
OFFLINE = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' "
    "'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; font-src data:\"/>"
)
"""Browsers then ask nobody for anything: the scripts and styles of the page itself are all that it may use."""
OF_ONE_RUN = frozenset({"created_at", "root_path", "build_path", "compiled_path"})


class DocumentationError(RuntimeError):
    """The page cannot be written; the message says what was found, what was expected and what to do."""


def write_documentation(manifest: Mapping[str, Any], folder: Path) -> Path:
    """Write the page of a parsed project; the same project gives the same bytes.

    Args:
        manifest: dbt's manifest, as JSON.
        folder: where `index.html` goes; made if it is not there.

    Raises:
        DocumentationError: dbt's page is not as this release of it is known to be.
    """
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    page = page_of(Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8"), manifest)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    write_atomically(path, page)
    return path


def page_of(frame: str, manifest: Mapping[str, Any]) -> str:
    """The page that dbt brings, with the project in it and nothing of other servers."""
    changes = {
        PLACES["manifest"]: _inline(_lasting(manifest)),
        PLACES["catalog"]: _inline(_catalogue(manifest)),
        **dict.fromkeys(TRACKER, ""),
        ICON: "",
        '<meta charset="utf-8">': f'<meta charset="utf-8">{OFFLINE}',
    }
    absent = [text for text in changes if frame.count(text) != 1]
    if absent:
        raise DocumentationError(
            f"the page that dbt brings holds {absent[0]!r:.80} {frame.count(absent[0])} times, expected once: this "
            "release of dbt writes it otherwise; install the versions of requirements.lock"
        )
    for text, instead in changes.items():
        frame = frame.replace(text, instead)
    return frame


def _lasting(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the page needs of the manifest: without the moment of the parse, and without the machine's folders."""
    kept = {
        **manifest,
        "metadata": {
            key: manifest["metadata"].get(key)
            for key in ("dbt_schema_version", "dbt_version", "project_name", "project_id", "adapter_type")
        },
        "macros": {key: macro for key, macro in manifest["macros"].items() if macro["package_name"] == PROJECT},
        "disabled": {},
    }
    lasting: dict[str, Any] = _without(kept, OF_ONE_RUN)
    return lasting


def _catalogue(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Columns in their order and their types as the yml files declare them, in the form of dbt's catalogue."""
    declared = {
        unique_id: {
            "unique_id": unique_id,
            "metadata": {key: node[key] for key in ("schema", "name", "database")}
            | {"type": node["config"].get("materialized", "source"), "comment": None, "owner": None},
            "columns": {
                name: {"name": name, "index": index, "type": column.get("data_type") or "", "comment": None}
                for index, (name, column) in enumerate(node["columns"].items(), start=1)
            },
            "stats": {},
        }
        for unique_id, node in (*manifest["nodes"].items(), *manifest["sources"].items())
        if node["resource_type"] in {"model", "seed", "source"}
    }
    sources = {unique_id: table for unique_id, table in declared.items() if unique_id in manifest["sources"]}
    nodes = {unique_id: table for unique_id, table in declared.items() if unique_id not in sources}
    return {"metadata": {}, "nodes": nodes, "sources": sources, "errors": None}


def _without(content: Any, keys: frozenset[str]) -> Any:
    if isinstance(content, Mapping):
        return {key: _without(part, keys) for key, part in content.items() if key not in keys}
    return [_without(part, keys) for part in content] if isinstance(content, list) else content


def _inline(content: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script: no text of it ends the script."""
    return json.dumps(content, sort_keys=True).replace("</", "<\\/").replace("<!--", "<\\u0021--")
