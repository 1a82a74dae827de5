"""The command line, `loyalty`: thin. Every command calls a function that a test can call, and prints what it returns.

What belongs here: arguments, tables on a terminal, exit codes. An expected fault is one line on stderr and exit code 1.
"""

from __future__ import annotations

import atexit
import csv
import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dagster_project.settings import Settings, load_settings

app = typer.Typer(
    name="loyalty",
    help="Every night: raw orders and feedback into an audited, published customer-loyalty warehouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
    "marts_checks": "checking marts",
    "customer_value": "customer value",
    "models__customer_churn": "churn",
    "models__model_scores": "back-test",
    "models_checks": "checking models",
    "dbt_after_models": "customer 360",
    "after_models_checks": "checking customer 360",
    "publish__published_version": "audit and publish",
    "report__loyalty_report": "report",
}


@app.command()
def run(
    config: Config = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Business day; else the setting or last night."),
    ] = None,
) -> None:
    """Run one night: land, build, check, model, audit, publish, report."""
    from dagster_project.nightly import run_night

    with _one_line_errors():
        settings = load_settings(config)
        night = settings.night(as_of.date() if as_of else None)
        out.print(
            f"[bold]{escape(settings.business.name)}[/bold], as of the end of {night} ({settings.business.time_zone})"
        )
        with _step_progress() as on_step:
            finished = run_night(settings, night, on_step)
        _print_headlines(settings)
        _print_places(settings, config)
        out.print(f"\nFinished in {finished.seconds:.1f} s.")


@app.command()
def status(config: Config = None) -> None:
    """Show the published version, its checks, and what lies in the work folder."""
    from dagster_project.publishing.versions import current_version, list_versions
    from dagster_project.warehouse import Warehouse

    with _one_line_errors():
        settings = load_settings(config)
        published = settings.home / "published"
        current = current_version(published)
        out.print(f"shop       {escape(settings.business.name)}\nhome       {settings.home}")
        if current is None:
            out.print("published  nothing yet; run `loyalty run`")
        for manifest in list_versions(published):
            if manifest.version == current:
                out.print(f"published  {current}, as of {manifest.as_of}, made {manifest.created_at}")
                out.print(
                    f"checks     {manifest.checks['passed']} passed, {len(manifest.checks['warnings'])} warnings, "
                    f"{manifest.checks['reconciled_totals']} totals reconciled"
                )
                for warning in manifest.checks["warnings"]:
                    out.print(f"  warning  {escape(warning)}")
        build = Warehouse(settings).build()
        out.print(f"work       {f'unpublished build of {build.as_of}' if build else 'no unpublished build'}")


@app.command()
def versions(config: Config = None) -> None:
    """List the published versions, the current one marked."""
    from dagster_project.publishing.versions import current_version, list_versions

    with _one_line_errors():
        published = load_settings(config).home / "published"
        table = Table("", "version", "as of", "made (UTC)", "tables", "rows", "warnings", box=None)
        for manifest in list_versions(published):
            table.add_row(
                "*" if manifest.version == current_version(published) else "",
                manifest.version,
                manifest.as_of,
                manifest.created_at[:16].replace("T", " "),
                str(len(manifest.tables)),
                f"{sum(facts['rows'] for facts in manifest.tables.values()):,}",
                str(len(manifest.checks["warnings"])),
            )
        out.print(table if table.row_count else "Nothing is published yet; run `loyalty run`.")


@app.command()
def rollback(version: str, config: Config = None) -> None:
    """Let readers see an earlier version again."""
    from dagster_project.publishing.versions import rollback as roll_back

    with _one_line_errors():
        settings = load_settings(config)
        manifest = roll_back(settings.home / "published", version)
        out.print(f"Readers now see {manifest.version}, as of {manifest.as_of}.")


@app.command()
def query(
    sql: str,
    config: Config = None,
    output: Annotated[str, typer.Option("--format", "-f", help="table, csv or json.")] = "table",
    limit: Annotated[int, typer.Option(help="Rows to show; 0 shows all.")] = 100,
) -> None:
    """Query the published warehouse with SQL, read-only."""
    import duckdb

    from dagster_project.headlines import reading
    from dagster_project.publishing.versions import current_database

    with _one_line_errors():
        if output not in {"table", "csv", "json"}:
            raise typer.BadParameter(f"--format is '{output}', expected table, csv or json")
        database = current_database(load_settings(config).home / "published")
        try:
            with reading(database) as con:
                result = con.execute(sql)
                columns = [column[0] for column in result.description or ()]
                rows = result.fetchmany(limit + 1) if limit else result.fetchall()
        except duckdb.Error as fault:
            raise ValueError(str(fault).split("\n\n", maxsplit=1)[0].replace("\n", " ")) from None
        is_cut = bool(limit) and len(rows) > limit
        _print_rows(columns, rows[:limit] if limit else rows, output)
        if is_cut:
            err.print(f"Only the first {limit} rows; --limit 0 shows all.")


@app.command()
def metrics(
    name: Annotated[str | None, typer.Argument(help="A metric, for all its periods and its definition.")] = None,
    config: Config = None,
) -> None:
    """Show the latest value of each metric, or every period of one."""
    from dagster_project import headlines
    from dagster_project.publishing.versions import current_database

    with _one_line_errors(), headlines.reading(current_database(load_settings(config).home / "published")) as con:
        found = headlines.metrics(con, name)
        if name is None:
            found = list({(metric.metric, metric.period_type): metric for metric in found}.values())
        _print_metrics(found)
        if name is not None:
            out.print(f"\n{escape(found[0].definition)}" if found else f"\n{name} has no source in this shop.")


@app.command()
def report(config: Config = None) -> None:
    """Write the report of the published version again, and say where it is."""
    from dagster_project.publishing.versions import current_database, current_version
    from dagster_project.reporting.report import write_report

    with _one_line_errors():
        home = load_settings(config).home
        path = write_report(
            current_database(home / "published"), home / "reports", str(current_version(home / "published"))
        )
        out.print(str(path))


@app.command()
def doctor(config: Config = None) -> None:
    """Look for what would make tonight fail, and say how to cure it."""
    from dagster_project.doctor import examine

    with _one_line_errors():
        findings = examine(load_settings(config))
        for finding in findings:
            mark = "[green]well[/green]" if finding.is_well else "[red]ill [/red]"
            out.print(f"{mark}  {finding.subject}: {escape(finding.text)}")
        if not all(finding.is_well for finding in findings):
            raise typer.Exit(1)


@app.command(hidden=True)
def instance(config: Config = None) -> None:
    """Print the folder to set as DAGSTER_HOME, made ready; `make ui` asks for it."""
    from dagster_project.nightly import prepare_instance

    with _one_line_errors():
        out.print(str(prepare_instance(load_settings(config))))


def main() -> None:
    """Run the command line."""
    atexit.register(_hide_shutdown_noise)
    app()


def _hide_shutdown_noise() -> None:
    """DuckDB 2.0's binding reports types that live until the interpreter ends as leaks, after everything is done."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """An expected fault as one line and exit code 1; anything else keeps its traceback."""
    from dagster_project.settings import SettingsError

    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except (SettingsError, RuntimeError, ValueError, OSError) as fault:
        err.print(f"[red]error[/red]: {escape(' '.join(str(fault).split()))}")
        raise typer.Exit(1) from None


@contextmanager
def _step_progress() -> Iterator[Any]:
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


def _print_headlines(settings: Settings) -> None:
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
    _print_metrics(found)
    if totals["clv_status"] == "fitted":
        out.print(f"\n  customer value ahead {totals['predicted_clv']:,.2f} {money} of margin; "
                  f"{totals['high_risk_customers']:,} active customers at high risk of leaving")  # fmt: skip
    elif totals["clv_status"]:
        out.print(
            f"\n  customer value: cohort averages only ({escape(totals['clv_status_reason'] or totals['clv_status'])})"
        )


def _print_places(settings: Settings, config: Path | None) -> None:
    option = f" --config {config}" if config else ""
    out.print(f"\nwarehouse  {settings.home / 'published' / 'loyalty.duckdb'}")
    out.print(f"report     {settings.home / 'reports' / 'latest.html'}")
    out.print(f"data docs  {settings.home / 'data_docs' / 'index.html'}")
    out.print(
        "\nNext, try:\n"
        f"  loyalty metrics retention_rate{option}\n"
        f'  loyalty query "select * from marts.customer_360 order by clv_at_risk desc nulls last limit 10"{option}\n'
        "  make ui"
    )


def _print_metrics(found: list[Any]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("metric", "period", "from", "value", "95 % interval", "base", ""):
        table.add_column(heading, no_wrap=True)
    for metric in found:
        shown = _shown(metric.metric_value, metric.unit) if metric.has_minimum_base else "base too small"
        interval = f"{_shown(metric.ci_low, metric.unit)} to {_shown(metric.ci_high, metric.unit)}"
        table.add_row(
            metric.metric,
            metric.period_type.replace("_", " "),
            str(metric.period_start),
            shown,
            interval if metric.has_minimum_base and metric.ci_low is not None else "-",
            f"{metric.denominator:,}",
            "" if metric.is_mature else "not mature yet",
        )
    out.print(table)


def _shown(number: float | None, unit: str) -> str:
    if number is None:
        return "-"
    return f"{100 * number:.1f} %" if unit == "share" else f"{number:,.2f}" if "per" in unit else f"{number:+.1f}"


def _print_rows(columns: list[str], rows: list[tuple[Any, ...]], output: str) -> None:
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
