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
    given: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PATH_OR_URL",
            help="Folder of exports (CSV, JSON lines, Parquet, XLSX; CSV and JSON also .gz, .zst), or a database's "
            "address: postgresql:// or mysql://",
        ),
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Write empty files under the standard names instead, to be filled.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The shop's name; else that of the folder or database.")] = None,
    time_zone: Annotated[str, typer.Option(help="In which its days end and its times are written.")] = "UTC",
    currency: Annotated[str, typer.Option(help="Of reports, and of orders that name none.")] = "EUR",
    source: Annotated[str, typer.Option(help="Name of the source, in snake case.")] = "shop",
    url_variable: Annotated[
        str, typer.Option(help="Variable of the environment that will hold the database's address at night.")
    ] = "SHOP_DATABASE",
) -> None:
    """Look at a shop's tables, guess what is what, and write what a night needs: it runs as it is."""
    from dagster_project.sources.tables import SourceError

    with one_line_errors():
        if template == (given is not None):
            raise SourceError("expected either --from PATH_OR_URL, to look at a shop's tables, or --template")
        if given is None:
            _write_template(folder, name, time_zone, currency)
        else:
            _look(folder, given, (name, time_zone, currency), source, url_variable)


def _write_template(folder: Path, name: str | None, time_zone: str, currency: str) -> None:
    from dagster_project.onboarding.scaffold import checked_business
    from dagster_project.onboarding.standard_files import write_standard_files

    business = checked_business(name or folder.resolve().name, time_zone, currency)
    written = write_standard_files(folder, business.name, business.time_zone, business.currency)
    out.print(f"{len(written)} files in {escape(str(folder))}; README.md says what each column is. Fill them, then:\n")
    _print_next(folder)


def _look(folder: Path, given: str, told: tuple[str | None, str, str], source: str, url_variable: str) -> None:
    from dagster_project.onboarding.origins import origin_of
    from dagster_project.onboarding.scaffold import checked_business, scaffold

    origin = origin_of(given, url_variable)
    name, time_zone, currency = told
    made = scaffold(folder, origin, checked_business(name or origin.name, time_zone, currency), source)
    found = Table("table", "taken for", "sureness", "columns read", box=None)
    for feed in made.found.feeds.values():
        columns = f"{len(feed.columns)} of {len(feed.guess.profile.columns)}"
        found.add_row(escape(feed.guess.profile.name), feed.guess.feed.name, f"{feed.guess.sureness:.0%}", columns)
    for table, _ in made.found.unknown:
        found.add_row(escape(table), "nothing", "", "0")
    out.print(found)
    for doubt in made.found.doubts:
        out.print(f"[yellow]look at[/yellow]  {escape(doubt)}")
    for feed_name, consequence in made.found.missing:
        out.print(f"[yellow]missing[/yellow]  {feed_name}: {consequence}")
    out.print(f"\n{len(made.written)} files in {escape(str(made.folder))}; README.md says why. Next:\n")
    if origin.variable:
        out.print(f"  export {origin.variable}=...   # the database's address; it was written nowhere")
    _print_next(made.folder)


def _print_next(folder: Path) -> None:
    """How to run the shop, and where its home is: every other command needs the settings to find it, too."""
    out.print(f"  loyalty run --config {escape(str(folder / 'loyalty.yaml'))}\n")
    out.print(
        f"What it leaves is in {escape(str(folder / '.loyalty'))}, of this shop alone, unless LOYALTY_HOME is set."
    )
    out.print("`loyalty metrics` and all others look there with the same --config, or with LOYALTY_CONFIG set to it.")
