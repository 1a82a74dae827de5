"""The page of tables, columns and lineage: it opens where there is no network, and the same project gives the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dbt.task.docs import DOCS_INDEX_FILE_PATH

from dagster_project.dbt_runner import DbtRunner
from dagster_project.documentation import DocumentationError, page_of, write_documentation
from dagster_project.settings import PROJECT_ROOT, load_settings

FRAME = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
COLUMN = "Our key of the order: source and order_id."


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    home = tmp_path_factory.mktemp("documented")
    return DbtRunner(load_settings(PROJECT_ROOT / "examples" / "demo.yaml", home=home)).manifest()


@pytest.fixture(scope="module")
def page(manifest: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documentation(manifest, tmp_path_factory.mktemp("documented") / "docs")


def test_a_second_home_of_equal_settings_finds_the_parsed_project_in_itself(
    manifest: Mapping[str, Any], tmp_path: Path
) -> None:
    second = DbtRunner(load_settings(PROJECT_ROOT / "examples" / "demo.yaml", home=tmp_path / "second"))
    assert second.manifest() == manifest
    assert json.loads(second.manifest_path.read_text(encoding="utf-8")) == manifest
    second.manifest_path.unlink()  # and whoever took it away gets it again
    second.manifest()
    assert second.manifest_path.exists()


def test_nothing_of_the_page_lies_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>", text) == []
    assert "cloudfront" not in text
    assert "sinter-collect" not in text
    assert "default-src 'none'" in text.partition("<title>")[0]


def test_the_page_names_no_folder_of_the_machine_and_no_moment(manifest: Mapping[str, Any], page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert str(PROJECT_ROOT) not in text
    assert manifest["metadata"]["generated_at"] not in text
    assert manifest["metadata"]["invocation_id"] not in text


def test_a_later_parse_gives_the_same_page(manifest: Mapping[str, Any], page: Path) -> None:
    again = {**manifest, "metadata": {**manifest["metadata"], "generated_at": "2026-01-01", "invocation_id": "other"}}
    again["nodes"] = {key: {**node, "created_at": 1.0} for key, node in reversed(manifest["nodes"].items())}
    assert page_of(FRAME, again) == page.read_text(encoding="utf-8")


def test_no_text_of_the_project_ends_the_script(manifest: Mapping[str, Any]) -> None:
    node = manifest["nodes"]["model.loyalty.fct_orders"]
    told = {**manifest, "nodes": {node["unique_id"]: {**node, "description": "</script><!--<b>"}}}
    assert page_of(FRAME, told).count("</script>") == FRAME.count("</script>")


def test_a_page_that_dbt_writes_otherwise_is_refused(manifest: Mapping[str, Any]) -> None:
    with pytest.raises(
        DocumentationError, match=r"MANIFEST\.JSON INLINE DATA.* 0 times, expected once.*requirements\.lock"
    ):
        page_of("<html></html>", manifest)


def test_a_browser_without_network_shows_tables_columns_and_lineage(page: Path) -> None:
    shown = _shown(page, "#!/model/model.loyalty.fct_orders?g_v=1")
    assert "One row per accepted order, valid or excluded" in shown
    assert COLUMN in shown
    assert "decimal(18,4)" in shown
    assert "<canvas" in shown
    assert "Every table of the night, with its columns" in _shown(page, "#!/overview")


def _shown(page: Path, place: str) -> str:
    """What stands in the page once its scripts have run, without the scripts."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
               f"--user-data-dir={page.parent.parent / 'browser'}", "--virtual-time-budget=9000", "--dump-dom",
               f"{page.as_uri()}{place}"]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return re.sub(r"<script\b.*?</script>", "", found.stdout, flags=re.DOTALL)
