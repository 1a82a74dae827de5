"""Commands that watch over the nights: `loyalty alerts`, `quarantine` and `find`; thin, registered by `cli`."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dagster_project.settings import load_settings
from dagster_project.terminal import Config, one_line_errors, out, step_progress

quarantine = typer.Typer(help="What was refused, why, and what a fix has freed.", no_args_is_help=True)
alerts = typer.Typer(help="Who is told when something goes wrong.", no_args_is_help=True)


@alerts.command("check")
def look_now(config: Config = None) -> None:
    """Look for problems once, as the sensor does every minute, and tell what is new."""
    from dagster_project.nightly import dg_instance
    from dagster_project.watch import look

    with one_line_errors():
        settings = load_settings(config)
        with dg_instance(settings) as instance:
            found = look(settings, instance, dt.datetime.now(dt.UTC))
        out.print(escape(found.summary()))
        if found.message is not None:
            out.print(escape(found.message.text()))
        if found.undelivered:
            raise typer.Exit(1)


@alerts.command("test")
def send_test_message(config: Config = None) -> None:
    """Send a test message on every channel, and say which of them took it."""
    from dagster_project.watch import send_test

    with one_line_errors():
        outcomes = send_test(load_settings(config), dt.datetime.now(dt.UTC))
        for name, fault in outcomes:
            mark = "[green]sent[/green]" if fault is None else "[red]failed[/red]"
            out.print(f"{mark}  {escape(fault or name)}")
        if not outcomes:
            out.print("No channel is set; the README shows `alerts.channels`.")
        if any(fault for _, fault in outcomes):
            raise typer.Exit(1)


def find(
    key: Annotated[str, typer.Argument(help="As a failed check tells it: order_key_hash=..., customer_key=...")],
    config: Config = None,
    with_value: Annotated[
        bool, typer.Option("--with-value", help="The key in clear, which may be a person's address.")
    ] = False,
) -> None:
    """Say which rows have a key that a failed check told: tables, landed files, rows of them."""
    from dagster_project.finding import find_rows

    with one_line_errors():
        found = find_rows(load_settings(config), key)
        out.print(f"in {found.build}" + (f", {found.column} {escape(found.value)}" if with_value else ""))
        for table in found.tables:
            out.print(f"    {table.rows:,} in {table.table}")
            for file, row in table.places:
                out.print(f"        {escape(file)}, row {row}")


@quarantine.command("list")
def list_quarantine(config: Config = None) -> None:
    """Count the refused rows of the last build by model, reason and file, with the age of their files."""
    from dagster_project.quarantine import refusals

    with one_line_errors():
        now = dt.datetime.now(dt.UTC)
        table = Table("rows", "model", "file", "age", "reasons", box=None, padding=(0, 2, 0, 0))
        groups = refusals(load_settings(config))
        for group in groups:
            age = "-" if group.landed_at is None else f"{(now - group.landed_at).days} d"
            table.add_row(f"{group.rows:,}", group.model, escape(group.file), age, escape(group.reasons))
        out.print(table if groups else "Nothing is quarantined.")


@quarantine.command("show")
def show_quarantine(
    model: Annotated[str, typer.Argument(help="As `loyalty quarantine list` names it.")],
    config: Config = None,
    reason: Annotated[str, typer.Option(help="Only rows whose reasons contain this.")] = "",
    file: Annotated[str, typer.Option(help="Only rows of this file.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    with_values: Annotated[
        bool, typer.Option("--with-values", help="Every field as it was sent, personal data included.")
    ] = False,
) -> None:
    """Show refused rows of a model: the shape of the fields that the reasons name, or with --with-values all."""
    from dagster_project.quarantine import refused_rows

    with one_line_errors():
        rows = refused_rows(
            load_settings(config), model, reason=reason, file=file, limit=limit, with_values=with_values
        )
        for row in rows:
            out.print(f"{escape(row.file)}, row {row.row_number}: {escape(row.reasons)}")
            for name, text in row.fields.items():
                out.print(f"    {escape(name)}: {'(null)' if text is None else escape(text)}")


@quarantine.command("replay")
def replay_quarantine(
    config: Config = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Business day; else the setting or last night."),
    ] = None,
) -> None:
    """Run the night again after a fix of a file, a staging model or the settings, and say which rows it freed."""
    from dagster_project.nightly import run_night
    from dagster_project.quarantine import changes_since, keep_rows

    with one_line_errors(), tempfile.TemporaryDirectory(prefix="loyalty-") as folder:
        settings = load_settings(config)
        before = Path(folder) / "before.parquet"
        keep_rows(settings, before)
        with step_progress() as on_step:
            run_night(settings, settings.night(as_of.date() if as_of else None), on_step)
        found = changes_since(settings, before)
        table = Table("before", "freed", "after", "model", "reasons", box=None, padding=(0, 2, 0, 0))
        for change in found:
            table.add_row(
                f"{change.before:,}", f"{change.freed:,}", f"{change.after:,}", change.model, escape(change.reasons)
            )
        out.print(table if found else "Nothing is quarantined.")
        out.print(f"\n{sum(change.freed for change in found):,} rows freed.")
