"""Commands that watch over the nights: `loyalty alerts`. Thin, like `cli`, which registers them."""

from __future__ import annotations

import datetime as dt

import typer
from rich.markup import escape

from dagster_project.settings import load_settings
from dagster_project.terminal import Config, one_line_errors, out

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
            out.print("No channel is set; CONTRIBUTING.md shows `alerts.channels`.")
        if any(fault for _, fault in outcomes):
            raise typer.Exit(1)
