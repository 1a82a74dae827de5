"""How things look on a terminal: tables, a progress bar, numbers with their units. Commands are in `cli`."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dagster_project.settings import Settings, SettingsError

if TYPE_CHECKING:
    from dagster_project.publishing.diff import Difference

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Settings of the shop; else LOYALTY_CONFIG, ./loyalty.yaml, the built-in shop."
    ),
]
STEPS = {
    "raw": "landing source files",
    "raw_checks": "checking raw tables",
    "dbt_facts": "staging, intermediate, marts",
    "marts_checks": "checking staging to marts",
    "customer_predictions": "back-tests, customer value and churn",
    "models_checks": "checking models",
    "dbt_after_models": "metrics, customer 360",
    "after_models_checks": "checking metrics and what rests on models",
    "metric_changes": "why numbers moved",
    "changes_checks": "checking why numbers moved",
    "publish__published_version": "audit and publish",
    "report__loyalty_report": "report",
}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """An expected fault as one line and exit code 1; anything else keeps its traceback."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except (SettingsError, RuntimeError, ValueError, OSError) as fault:
        err.print(f"[red]error[/red]: {escape(' '.join(str(fault).split()))}")
        raise typer.Exit(1) from None


@contextmanager
def waiting_for(first: str) -> Iterator[Callable[[str], None]]:
    """What is being made just now, on a terminal; nothing elsewhere, where only the result is wanted.

    Args:
        first: what comes first.
    """
    with err.status(first) as status:
        yield lambda text: status.update(escape(text))


@contextmanager
def step_progress() -> Iterator[Any]:
    """A bar on a terminal, one line a step elsewhere."""
    if not out.is_terminal:
        yield (
            lambda name, state, seconds: (
                None if state == "started" else out.print(f"  {STEPS.get(name, name):<32} {state} {seconds:6.1f} s")
            )
        )
        return
    columns = (SpinnerColumn(), TextColumn("{task.description:<32}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("starting", total=len(STEPS))

        def on_step(name: str, state: str, seconds: float) -> None:
            if state == "started":
                progress.update(task, description=STEPS.get(name, name))
                return
            progress.advance(task)
            progress.console.print(f"  {STEPS.get(name, name):<32} {state} {seconds:6.1f} s")

        yield on_step


@contextmanager
def block_progress(task_name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that counts blocks done, on a terminal; silent elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(task_name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def print_headlines(settings: Settings) -> None:
    """The shop in a few lines, from what was just published."""
    from dagster_project import headlines
    from dagster_project.publishing.versions import current_database

    with headlines.reading(current_database(settings.home / "published")) as con:
        totals = headlines.shop_totals(con)
        found = headlines.headline_metrics(con)
    money = totals["currency"] or settings.business.currency
    orders = f"{totals['orders']:,} ({totals['valid_orders']:,} valid, {totals['excluded_orders']:,} excluded)"
    out.print(
        f"\n  customers {totals['customers']:,} ({totals['active_customers']:,} active)   orders {orders}   "
        f"net revenue {totals['net_revenue']:,.2f} {money}   refused rows {totals['quarantined_rows']:,}\n"
    )
    print_metrics(found)
    if totals["clv_status"] == "fitted":
        out.print(f"\n  customer value ahead {totals['predicted_clv']:,.2f} {money} of margin; "
                  f"{totals['high_risk_customers']:,} active customers at high risk of leaving")  # fmt: skip
    elif totals["clv_status"]:
        out.print(
            f"\n  customer value: cohort averages only ({escape(totals['clv_status_reason'] or totals['clv_status'])})"
        )


def print_places(settings: Settings, config: Path | None) -> None:
    """Where everything is, and three commands to go on with."""
    option = f" --config {config}" if config else ""
    command = _command()
    out.print(f"\nwarehouse  {settings.home / 'published' / 'loyalty.duckdb'}")
    out.print(f"report     {settings.home / 'reports' / 'latest.html'}")
    out.print(f"data docs  {settings.home / 'data_docs' / 'index.html'}")
    out.print(
        "\nNext, try:\n"
        f"  {command} metrics retention_rate{option}\n"
        f'  {command} query "select * from marts.customer_360 order by clv_at_risk desc nulls last limit 10"{option}\n'
        "  make ui"
    )


def _command() -> str:
    """How this program is called from here: by name where that finds it, else by its path."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) == str(called.absolute()) or not called.exists():
        return "loyalty"
    return os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)


def print_metrics(found: list[Any]) -> None:
    """Metrics as a table; a number on too small a base is not shown."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("metric", "period", "from", "value", "95 % interval", "base", ""):
        table.add_column(heading, no_wrap=True)
    for metric in found:
        if metric.status == "no_source":
            table.add_row(metric.metric, "-", "-", "-", "-", "-", escape(metric.status_reason))
            continue
        shown = shown_number(metric.metric_value, metric.unit) if metric.has_minimum_base else "base too small"
        interval = f"{shown_number(metric.ci_low, metric.unit)} to {shown_number(metric.ci_high, metric.unit)}"
        part = "" if metric.segment == "all" else f", {metric.segment}"
        table.add_row(
            escape(f"{metric.metric}{part}"),
            metric.period_type.replace("_", " "),
            str(metric.period_start),
            shown,
            interval if metric.has_minimum_base and metric.ci_low is not None else "-",
            f"{metric.count_observations:,}",
            escape(metric.status_reason or ("" if metric.is_mature else "not mature yet")),
        )
    out.print(table)


def shown_number(number: float | None, unit: str) -> str:
    """A number in its unit."""
    if number is None:
        return "-"
    return f"{100 * number:.1f} %" if unit == "share" else f"{number:+.1f}" if unit == "points" else f"{number:,.2f}"


def print_difference(found: Difference) -> None:
    """What differs between two versions, the numbers first; nothing is a line too."""
    before, after = found.before, found.after
    out.print(f"from {before.version}, as of {before.as_of}, to {after.version}, as of {after.as_of}")
    if found.is_empty:
        out.print("no difference")
    numbers = [
        (
            change.metric,
            change.period_type.replace("_", " "),
            shown_number(change.value_before, change.unit),
            shown_number(change.value_after, change.unit),
        )
        for change in found.metrics
    ]
    _print_changes(("metric", "period", "before", "after"), numbers)
    rows = [
        (change.table, change.kind, *("-" if n is None else f"{n:,}" for n in (change.rows_before, change.rows_after)))
        for change in found.tables
    ]
    _print_changes(("table", "content", "rows before", "rows after"), rows)
    for heading, named in (("definition", found.definitions), ("made by", found.fingerprints)):
        _print_changes((heading, "before", "after"), [(one.name, one.before or "-", one.after or "-") for one in named])


def _print_changes(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*[escape(cell) for cell in row])
    out.print()
    out.print(table)


def print_rows(columns: list[str], rows: list[tuple[Any, ...]], output: str) -> None:
    """Rows as a table, as CSV or as JSON."""
    if output == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    elif output == "json":
        typer.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str, indent=2))
    else:
        table = Table(*[escape(column) for column in columns], box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*["-" if cell is None else escape(str(cell)) for cell in row])
        out.print(table)
