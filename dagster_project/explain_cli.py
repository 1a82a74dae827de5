"""The command `loyalty explain`, registered by `cli`: thin, what it prints is made in `explaining`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from dagster_project.settings import load_settings
from dagster_project.terminal import Config, one_line_errors, out, shown_number, waiting_for

if TYPE_CHECKING:
    from dagster_project.explaining.changes import Change
    from dagster_project.explaining.explanation import Explanation

MOST_SHOWN = 30  # lines of other rules on a terminal


def explain(
    metric: Annotated[str, typer.Argument(help="A metric, or count_customers, total_net, predicted_clv.")],
    since: Annotated[str | None, typer.Option(help="A version: why the number has changed since.")] = None,
    is_tried: Annotated[
        bool, typer.Option("--try", help="Make it again under other values of every setting that enters it.")
    ] = False,
    customers: Annotated[
        int, typer.Option(min=0, help="With --since: customers to name, those who moved it most.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, whole.")] = False,
    config: Config = None,
) -> None:
    """Say what a number means, rests on and leaves out, and what it would be under other rules; or why it changed."""
    with one_line_errors():
        if since is None:
            _explain_number(metric, config, is_tried=is_tried, as_json=as_json)
        else:
            _explain_change(metric, since, customers, config, as_json=as_json)


def _explain_number(metric: str, config: Any, *, is_tried: bool, as_json: bool) -> None:
    import datetime as dt

    from dagster_project.explaining.explanation import explain_metric
    from dagster_project.headlines import reading
    from dagster_project.publishing.versions import current_database, read_manifest

    settings = load_settings(config)
    database = current_database(settings.home / "published")
    manifest = read_manifest(database.parent)
    with reading(database) as con:
        as_of = dt.date.fromisoformat(manifest.as_of)
        found = explain_metric(con, metric, as_of, manifest.definitions, settings.decisions.get(metric))
        if is_tried and found.untried:
            from dagster_project.metric_trials import with_settings_tried

            with waiting_for("dbt") as on_try:
                found = with_settings_tried(con, found, settings, database, manifest, on_try)
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(found), "fragile": found.fragile}, default=str, indent=2))
    else:
        print_explanation(found)


def _explain_change(metric: str, since: str, customers: int, config: Any, *, as_json: bool) -> None:
    import duckdb

    from dagster_project.explaining.changes import NotExplained
    from dagster_project.explaining.headlines import HEADLINES, named
    from dagster_project.explaining.nights import changes_between, customers_who_moved
    from dagster_project.publishing.versions import current_database

    published = load_settings(config).home / "published"
    headlines = named(metric)
    if not headlines:
        told = ", ".join(sorted({headline.metric for headline in HEADLINES}))
        raise NotExplained(f"changes are told of headlines, and '{metric}' is none; there are: {told}")
    with duckdb.connect() as con:
        version = current_database(published).parent.name
        found = changes_between(con, published, since, version, headlines)
        movers = customers_who_moved(con, customers)
    if as_json:
        typer.echo(json.dumps({"from": since, "to": version, "causes": [_change(change) for change in found],
                               "customers": movers}, default=str, indent=2))  # fmt: skip
    else:
        print_changes(since, version, found, movers)


def _change(change: Change) -> dict[str, Any]:
    return {
        "metric": change.headline.metric,
        "period_type": change.headline.period_type,
        **{field.name: getattr(change, field.name) for field in dataclasses.fields(change) if field.name != "headline"},
        "difference": change.difference,
    }


def print_explanation(found: Explanation) -> None:
    """A metric on a terminal: the definition first, then the numbers, then what they hang on."""
    unit = found.told[0].unit if found.told else ""
    out.print(f"[bold]{found.metric}[/bold], as of {found.as_of}\n{escape(found.definition)}")
    for whose, formula in found.formulas.items():
        out.print(f"  {whose}: {escape(formula)}")
    if found.bases:
        out.print("  " + ", ".join(f"{role} {base}" for role, base in found.bases.items()))
    inputs = [f"{table} ({rows:,} rows)" for table, rows in found.inputs.items()]
    out.print(f"  inputs: {', '.join(inputs)}; interval: {(found.interval_method or 'none').replace('_', ' ')}")
    if found.settings:
        out.print("  settings: " + ", ".join(f"{name} {value}" for name, value in found.settings.items()))
    _print_table(
        ("period", "from", "value", "95 % interval", "numerator", "denominator", ""),
        [
            (
                told.period_type.replace("_", " ") + ("" if told.segment == "all" else f", {told.segment}"),
                str(told.period_start),
                shown_number(told.value, told.unit),
                _interval(told.ci_low, told.ci_high, unit),
                _plain(told.numerator),
                _plain(told.denominator),
                told.status_reason or ("" if told.is_mature else "not mature yet"),
            )
            for told in found.told
        ],
    )
    _print_table(
        ("what is counted", "left out", "gross", "left"),
        [
            (step.reason.replace("_", " "), f"{step.count_rows:,}", _plain(step.total_gross), f"{step.count_left:,}")
            for step in found.left_out
        ],
    )
    _print_tried(found, unit)
    if found.untried:
        out.print(f"\nwith --try, made again under other values of {', '.join(found.untried)}")
    if found.not_tried:
        out.print(f"\n{found.not_tried}")
    if found.decisions:
        out.print("\n" + "\n".join(f"{name}: {verdict.replace('_', ' ')}" for name, verdict in found.decisions.items()))
        out.print(f"fragile: {', '.join(found.fragile) or 'none of the rules tried turns it'}")
    _print_table(
        ("beside it", "latest value"), [(name, "-" if n is None else f"{n:,.4g}") for name, n in found.beside.items()]
    )
    out.print(f"\nThe same number from published tables:\n\n{escape(found.sql)}")


def _print_tried(found: Explanation, unit: str) -> None:
    parts = " and part" if any(tried.segment != "all" for tried in found.tried) else ""
    _print_table(
        (f"under another rule{parts}", "value", "difference", "95 % interval", "decisions that turn"),
        [
            (
                tried.rule + ("" if tried.segment == "all" else f", {tried.segment}"),
                shown_number(tried.value, unit),
                shown_number(tried.difference, unit),
                _interval(tried.ci_low, tried.ci_high, unit) + (", beside the number" if tried.leaves_number else ""),
                f"fragile: {', '.join(tried.fragile)}" if tried.fragile else "",
            )
            for tried in found.tried[:MOST_SHOWN]
        ],
    )
    if len(found.tried) > MOST_SHOWN:
        out.print(f"{len(found.tried) - MOST_SHOWN} more, which move it less, with --json")


def _interval(low: float | None, high: float | None, unit: str) -> str:
    return "-" if low is None else f"{shown_number(low, unit)} to {shown_number(high, unit)}"


def print_changes(before: str, after: str, found: Sequence[Change], movers: Sequence[tuple[Any, ...]]) -> None:
    """Causes of a difference on a terminal; a cause that adds nothing is left out."""
    out.print(f"from {before} to {after}")
    for headline in dict.fromkeys(change.headline for change in found):
        own = [change for change in found if change.headline == headline]
        ends = [None if end is None else float(end) for end in (own[0].before, own[0].after, own[0].difference)]
        first, last, difference = (shown_number(end, headline.unit) for end in ends)
        out.print(f"\n[bold]{headline.metric}[/bold], {headline.period_type.replace('_', ' ')}: {first} to {last}")
        causes = [
            (
                change.cause.replace("_", " "),
                "-" if change.part is None else f"{change.part.normalize():+f}",
                f"{change.numerator_change.normalize():+f}",
                "" if headline.is_total else f"{change.denominator_change.normalize():+f}",
                f"{change.count_customers:,}",
            )
            for change in own
            if change.part or change.numerator_change or change.denominator_change
        ]
        _print_table(("cause", "part", "numerator", "denominator", "customers"), causes)
        exact = "-" if own[0].difference is None else f"{own[0].difference.normalize():+f}"
        out.print(f"the parts add up to the difference, {exact} ({difference})" if causes else "nothing has moved it")
    _print_table(
        ("customer", "metric", "period", "cause", "part"),
        [("nobody known" if row[0] is None else row[0], *map(str, row[1:])) for row in movers],
    )


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        table = Table(*headings, box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*[escape(cell) for cell in row])
        out.print()
        out.print(table)


def _plain(amount: Any) -> str:
    return "-" if amount is None else f"{amount:,.2f}".removesuffix(".00")
