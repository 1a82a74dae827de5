"""`loyalty init`: thin; what it does is in `onboarding`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dagster_project.terminal import one_line_errors, out


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write the shop's settings and models into.")],
    files: Annotated[Path, typer.Option("--from", help="Folder of the shop's exports: CSV, gzipped or not, Parquet.")],
    name: Annotated[str | None, typer.Option(help="The shop's name; else that of the folder of the files.")] = None,
    time_zone: Annotated[str, typer.Option(help="In which its days end and its times are written.")] = "UTC",
    currency: Annotated[str, typer.Option(help="Of reports, and of orders that name none.")] = "EUR",
    source: Annotated[str, typer.Option(help="Name of the source, in snake case.")] = "shop",
) -> None:
    """Look at a shop's files, guess what is what, and write what a night needs: it runs as it is."""
    from dagster_project.onboarding.scaffold import business_of, scaffold

    with one_line_errors():
        made = scaffold(folder, files, business_of(files, name, time_zone, currency), source)
        found = Table("file", "taken for", "sureness", "columns read", box=None)
        for feed in made.feeds:
            columns = f"{len(feed.columns)} of {len(feed.guess.profile.columns)}"
            found.add_row(escape(feed.guess.profile.file), feed.guess.feed.name, f"{feed.guess.sureness:.0%}", columns)
        for file in made.unknown:
            found.add_row(escape(file), "nothing", "", "0")
        out.print(found)
        for doubt in made.doubts:
            out.print(f"[yellow]look at[/yellow]  {escape(doubt)}")
        for feed_name, consequence in made.missing:
            out.print(f"[yellow]missing[/yellow]  {feed_name}: {consequence}")
        settings = made.folder / "loyalty.yaml"
        out.print(f"\n{len(made.written)} files in {escape(str(made.folder))}; README.md says why. Next:\n")
        out.print(f"  loyalty run --config {escape(str(settings))}")
