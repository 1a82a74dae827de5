"""`loyalty simulate`: writes a shop, says so, and refuses in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dagster_project.cli import app


def simulate(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    return done.exit_code, done.output


def test_simulate_writes_once_and_says_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    asked = ("--customers", 100, "--days", 90, "--dirt", "light", "--out", tmp_path / "shop")
    status, said = simulate(*asked)
    assert status == 0
    assert said.startswith("Written to ")
    assert (tmp_path / "shop" / "orders.csv.gz").is_file()
    status, said = simulate(*asked)
    assert status == 0
    assert said.startswith("Nothing to do: this very shop is in ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--customers", 10), "is too small"), (("--days", 5), "is too small"), (("--dirt", "much"), "is not one of")],
)
def test_simulate_refuses_what_cannot_be(arguments: tuple[object, ...], message: str, tmp_path: Path) -> None:
    status, said = simulate(*arguments, "--out", tmp_path / "shop")
    assert status != 0
    assert message in said
    assert not (tmp_path / "shop").exists()


def test_simulate_leaves_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").touch()
    status, said = simulate("--customers", 100, "--days", 90, "--out", tmp_path)
    assert status == 1
    assert said.count("\n") <= 2
    assert "holds files that no simulation wrote" in said.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'duckdb', 'dagster', 'dbt'}"
    code = f"import sys, dagster_project.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
