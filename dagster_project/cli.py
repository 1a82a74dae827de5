"""The command line, `loyalty`: thin. Every command calls a function that a test can call, and prints what it returns.

What belongs here: arguments, tables on a terminal, exit codes. An expected fault is one line on stderr and exit code 1.
"""

from __future__ import annotations

import atexit
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from dagster_project import explain_cli, init_cli, oversight_cli
from dagster_project.settings import load_settings
from dagster_project.terminal import (
    Config,
    block_progress,
    err,
    one_line_errors,
    out,
    print_difference,
    print_headlines,
    print_metrics,
    print_places,
    print_rows,
    step_progress,
)

app = typer.Typer(
    name="loyalty",
    help="Every night: raw orders and feedback into an audited, published customer-loyalty warehouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(oversight_cli.alerts, name="alerts")
app.add_typer(oversight_cli.quarantine, name="quarantine")
app.command()(oversight_cli.find)
app.command()(init_cli.init)
app.command()(explain_cli.explain)


DirtLevel = Literal["none", "light", "moderate", "heavy"]


@app.command()
def run(
    config: Config = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Business day; else the setting or last night."),
    ] = None,
    known_at: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"], help="Only what was landed by then, in UTC."),
    ] = None,
) -> None:
    """Run one night: land, build, check, model, audit, publish, report."""
    from dagster_project.nightly import run_night
    from dagster_project.waivers import traces

    with one_line_errors():
        settings = load_settings(config, **({"known_at": known_at.replace(tzinfo=dt.UTC)} if known_at else {}))
        night = settings.night(as_of.date() if as_of else None)
        out.print(
            f"[bold]{escape(settings.business.name)}[/bold], as of the end of {night} ({settings.business.time_zone})"
        )
        for trace in traces(settings, night):
            out.print(f"[yellow]waiver[/yellow]  {escape(trace)}")
        with step_progress() as on_step:
            finished = run_night(settings, night, on_step)
        print_headlines(settings)
        print_places(settings, config)
        out.print(f"\nFinished in {finished.seconds:.1f} s.")


@app.command()
def status(config: Config = None) -> None:
    """Show the published version, its checks, and what lies in the work folder."""
    from dagster_project.publishing.versions import current_version, list_versions
    from dagster_project.warehouse import Warehouse

    with one_line_errors():
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
                for waived in manifest.checks.get("waived", []):
                    out.print(f"  waived   {escape(waived)}")
        build = Warehouse(settings).build()
        out.print(f"work       {f'unpublished build of {build.as_of}' if build else 'no unpublished build'}")


@app.command()
def versions(config: Config = None) -> None:
    """List the published versions, the current one marked."""
    from dagster_project.publishing.versions import current_version, list_versions

    with one_line_errors():
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

    with one_line_errors():
        settings = load_settings(config)
        manifest = roll_back(settings.home / "published", version)
        out.print(f"Readers now see {manifest.version}, as of {manifest.as_of}.")


@app.command()
def diff(before: str, after: str, config: Config = None) -> None:
    """Say what differs between two versions: tables, rows, headline metrics, definitions, code."""
    from dagster_project.publishing.diff import compare_versions

    with one_line_errors():
        print_difference(compare_versions(load_settings(config).home / "published", before, after))


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

    with one_line_errors():
        if output not in {"table", "csv", "json"}:
            raise typer.BadParameter(f"--format is '{output}', expected table, csv or json")
        database = current_database(load_settings(config).home / "published")
        try:
            with reading(database) as con:
                result = con.execute(sql)
                if result is None:  # as DuckDB answers an empty text
                    raise ValueError(f"{sql!r} holds no statement; expected one SELECT")
                columns = [column[0] for column in result.description or ()]
                rows = result.fetchmany(limit + 1) if limit else result.fetchall()
        except duckdb.Error as fault:
            raise ValueError(str(fault).split("\n\n", maxsplit=1)[0].replace("\n", " ")) from None
        is_cut = bool(limit) and len(rows) > limit
        print_rows(columns, rows[:limit] if limit else rows, output)
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

    with one_line_errors(), headlines.reading(current_database(load_settings(config).home / "published")) as con:
        found = headlines.metrics(con, name)
        if name is None:
            found = list({(metric.metric, metric.period_type): metric for metric in found}.values())
        print_metrics(found)
        if name is not None:
            out.print(f"\n{escape(found[0].definition)}" if found else f"\n{name} is told for no period of this shop.")


@app.command()
def report(config: Config = None) -> None:
    """Write the report of the published version again, and say where it is."""
    from dagster_project.publishing.versions import current_database, current_version
    from dagster_project.reporting.report import write_report

    with one_line_errors():
        home = load_settings(config).home
        path = write_report(
            current_database(home / "published"), home / "reports", str(current_version(home / "published"))
        )
        out.print(str(path))


@app.command()
def forget(
    customer: Annotated[str, typer.Argument(help="source:customer_id, source/guest_order:order_id or a customer_key.")],
    config: Config = None,
) -> None:
    """Erase a customer and all that is theirs; complete with the next night."""
    from dagster_project.erasure import forget as erase

    with one_line_errors():
        done = erase(load_settings(config), customer, dt.datetime.now(dt.UTC))
        for record in done.records:
            out.print(f"forgotten  {escape(record.name)}")
        out.print(f"{done.rows} landed rows lost their identifiers, {done.originals} originals are removed.")
        out.print("Run the night now: it publishes without this customer and removes every version made before.")
        out.print("Have the source erase them too: what it still sends is hashed and linked to nobody.")


@app.command()
def docs(config: Config = None) -> None:
    """Write the pages of tables, columns and lineage, one file that opens offline, and say where it is."""
    from dagster_project.dbt_runner import DbtRunner
    from dagster_project.documentation import write_documentation

    with one_line_errors():
        settings = load_settings(config)
        out.print(str(write_documentation(DbtRunner(settings).manifest(), settings.home / "docs")))


@app.command()
def doctor(config: Config = None) -> None:
    """Look for what would make tonight fail, and say how to cure it."""
    from dagster_project.doctor import examine

    with one_line_errors():
        findings = examine(load_settings(config))
        for finding in findings:
            mark = "[green]well[/green]" if finding.is_well else "[red]ill [/red]"
            out.print(f"{mark}  {finding.subject}: {escape(finding.text)}")
        if not all(finding.is_well for finding in findings):
            raise typer.Exit(1)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Option("--out", help="Where the files go: a new or empty folder.")],
    customers: Annotated[int, typer.Option(help="People who come, 100 or more.")] = 20_000,
    days: Annotated[int, typer.Option(help="Length of the history, 90 or more.")] = 1_096,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    last_day: Annotated[
        dt.datetime, typer.Option("--last-day", formats=["%Y-%m-%d"], show_default="2025-12-31", help="Last day.")
    ] = dt.datetime(2025, 12, 31),  # noqa: DTZ001 - a day of the shop's calendar
    dirt: Annotated[DirtLevel, typer.Option(help="How much goes wrong in the exports.")] = "none",
    deliver: Annotated[
        Literal["whole", "daily"], typer.Option(help="whole: one file a feed; daily: a folder a day.")
    ] = "whole",
    file_format: Annotated[
        Literal["csv", "parquet"], typer.Option("--format", help="csv: as shops export; parquet: for load.")
    ] = "csv",
) -> None:
    """Write a made-up shop with known truth as files: its feeds, and the truth in a folder of its own."""
    from dagster_project.sources.simulated_shop import Dirt, ShopPlan
    from dagster_project.sources.simulated_shop import simulate as write_shop

    with one_line_errors():
        plan = ShopPlan(customers=customers, days=days, last_day=last_day.date(), seed=seed)
        with block_progress("drawing people") as on_block:
            is_written = write_shop(plan, folder, Dirt(dirt), file_format, deliver, on_block)
        out.print(f"{'Written to' if is_written else 'Nothing to do: this very shop is in'} {folder}")


@app.command(hidden=True)
def instance(config: Config = None) -> None:
    """Print the folder to set as DAGSTER_HOME, made ready; `make ui` asks for it."""
    from dagster_project.nightly import prepare_instance

    with one_line_errors():
        out.print(str(prepare_instance(load_settings(config))))


def main() -> None:
    """Run the command line."""
    atexit.register(hide_shutdown_noise)
    app()


def hide_shutdown_noise() -> None:
    """Let nothing reach stderr once the interpreter ends: DuckDB 2.0's binding then reports living types as leaks."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
