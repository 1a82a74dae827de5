"""Why the numbers can be trusted: what was left out, what was refused, which totals agree, which checks ran."""

from __future__ import annotations

import re

from dagster_project.reporting import formats, queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section, Table
from dagster_project.reporting.published import Published, Row
from dagster_project.reporting.sections.headline import OWN_DEFINITIONS

MOST_REFUSALS = 30
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def exclusions(shop: Published, metrics: Metrics) -> Section:
    """Orders that are not valid by reason, and raw rows that were refused."""
    excluded, refused = shop.rows(queries.EXCLUSIONS), shop.rows(queries.REFUSALS)
    orders = shop.row(queries.ORDERS)["count_orders"]
    tables = [table for table in (_excluded_table(excluded, shop.currency), _refused_table(refused)) if table]
    return Section(
        anchor="exclusions",
        title="What is not in the numbers",
        lead=f"{_excluded_sentence(excluded, orders, shop.currency)} {_refused_sentence(refused)}",
        tables=tables,
        notes=(
            "Each excluded order has exactly one reason. The raw contents of refused rows stay in the unpublished "
            "quarantine, "
            "with file and row number; “loyalty quarantine list” shows them.",
        ),
    )


def _excluded_sentence(rows: list[Row], orders: int, currency: str | None) -> str:
    if not orders:
        return "There are no orders yet, so none was excluded."
    count = sum(row["count_orders"] for row in rows)
    if not count:
        return f"All {formats.plural(orders, 'order')} are valid; none was excluded."
    gross = sum(row["total_gross"] or 0 for row in rows)
    revenue = sum(row["total_gross"] or 0 for row in rows if row["counts_as_revenue"])
    still = f" ({formats.money(revenue, currency)} of it still counts as revenue)" if revenue else ""
    return (
        f"{formats.count(count)} of {formats.plural(orders, 'order')} ({formats.share(count / orders)}), worth "
        f"{formats.money(gross, currency)}{still}, {'is' if count == 1 else 'are'} not in customer metrics; the most "
        "common "
        f"reason is “{formats.words(rows[0]['exclusion_reason'])}”."
    )


def _refused_sentence(rows: list[Row]) -> str:
    count = sum(row["count_rows"] for row in rows)
    if not count:
        return "No raw row was refused."
    return f"{formats.plural(count, 'raw row')} could not be used and {'was' if count == 1 else 'were'} refused."


def _excluded_table(rows: list[Row], currency: str | None) -> Table | None:
    body = [
        (
            formats.words(row["exclusion_reason"]),
            formats.count(row["count_orders"]),
            formats.count(row["count_lines"]),
            _amount(row, currency),
            "yes" if row["counts_as_revenue"] else "no",
            row["meaning"] or formats.ABSENT,
        )
        for row in rows
    ]
    columns = ("Reason", "# Orders", "# Lines", "# Gross amount", "Still revenue", "Meaning")
    return Table("Orders left out of customer metrics", columns, body) if body else None


def _amount(row: Row, currency: str | None) -> str:
    missing = row["count_without_amount"]
    if missing == row["count_orders"]:
        return f"{formats.ABSENT} (not convertible)"
    text = formats.money(row["total_gross"], currency)
    return f"{text} ({formats.count(missing)} without amount)" if missing else text


def _refused_table(rows: list[Row]) -> Table | None:
    body = [
        (
            row["source"] or formats.ABSENT,
            row["model"],
            formats.count(row["count_rows"]),
            row["reasons"] or formats.ABSENT,
        )
        for row in rows[:MOST_REFUSALS]
    ]
    left = rows[MOST_REFUSALS:]
    caption = "Raw rows refused"
    if left:
        caption += (
            f"; {formats.plural(sum(row['count_rows'] for row in left), 'row')} with rarer reasons are not listed"
        )
    return Table(caption, ("Source", "Model", "# Rows", "Reasons"), body) if body else None


def reconciliation(shop: Published, metrics: Metrics) -> Section:
    """Totals that must agree from layer to layer."""
    rows = shop.rows(queries.RECONCILIATION)
    title = "Totals from layer to layer"
    if not rows:
        return Section("reconciliation", title, "No total was compared in this version.")
    broken = sum(not row["is_reconciled"] for row in rows)
    lead = f"All {formats.plural(len(rows), 'total')} agree from layer to layer, to the row and to the cent."
    if broken:
        lead = (
            f"{broken} of {formats.plural(len(rows), 'total')} {'does' if broken == 1 else 'do'} not agree: do not "
            "rely on "
            "this version before that is explained."
        )
    body = [
        (
            f"{row['layer_from']} to {row['layer_to']}",
            row["entity"],
            row["measure"],
            _total(row["total_from"], row["measure"]),
            _total(row["total_to"], row["measure"]),
            _total(row["difference"], row["measure"]),
            "yes" if row["is_reconciled"] else "NO",
        )
        for row in rows
    ]
    columns = ("Layers", "What", "Measure", "# From", "# To", "# Difference", "Agrees")
    return Section("reconciliation", title, lead, tables=[Table("Reconciliation", columns, body)])


def _total(amount: object, measure: str) -> str:
    return formats.count(amount) if measure == "rows" else formats.number(amount)


def checks(shop: Published, metrics: Metrics) -> Section:
    """Checks by layer, and the ones that did not pass."""
    rows, failed = shop.rows(queries.CHECKS), shop.rows(queries.FAILED_CHECKS)
    title = "Data-quality checks"
    if not rows:
        return Section("checks", title, "No check result is stored in this version.")
    count = sum(row["count_checks"] for row in rows)
    passed = sum(row["count_passed"] for row in rows)
    lead = f"All {formats.plural(count, 'check')} were evaluated and passed."
    if failed:
        lead = (
            f"{formats.count(passed)} of {formats.plural(count, 'check')} passed; "
            f"{formats.plural(len(failed), 'check')} below "
            "did not, and the numbers that rest on them need care."
        )
    columns = ("Layer", "# Tables", "# Checks", "# Passed", "# Not passed")
    body = [
        (
            row["layer"],
            *(formats.count(row[name]) for name in ("count_tables", "count_checks", "count_passed", "count_warnings")),
        )
        for row in rows
    ]
    tables = [Table("Checks by layer", columns, body)]
    if failed:
        found = [
            (
                f"{row['layer']}.{row['table_name']}",
                formats.words(row["check_name"]),
                row["severity"],
                row["observed"] or "",
                row["why"] or "",
                row["cure"] or "",
            )
            for row in failed
        ]
        tables.insert(
            0,
            Table(
                "Checks that did not pass",
                ("Table", "Check", "Severity", "Observed", "Why it matters", "What to do"),
                found,
            ),
        )
    return Section("checks", title, lead, warnings=_waived(shop), tables=tables, notes=_waivers(shop))


def _waived(shop: Published) -> list[str]:
    """Rules that failed and did not stop the night because somebody said so."""
    return [f"A failed check was waived: {text}" for text in shop.manifest["checks"].get("waived", [])]


def _waivers(shop: Published) -> list[str]:
    """Every waiver in the settings of the night, used or not."""
    return [f"Settings of this night: {text}" for text in shop.manifest["checks"].get("waivers", [])]


def definitions(shop: Published, metrics: Metrics) -> Section:
    """Every definition, in the windows that the shop has set."""
    body = [(name, "money" if name == "net_revenue" else "count", text, "") for name, text in OWN_DEFINITIONS.items()]
    body += [
        (
            row["metric"],
            row["unit"],
            PLACEHOLDER.sub(lambda match: formats.words(match[1]), row["definition"]),
            row["requirement"],
        )
        for row in shop.rows(queries.DEFINITIONS)
    ]
    table = Table("Definitions", ("Metric", "Unit", "Definition", "Requirement"), body)
    lead = f"The {len(body)} numbers of this page are defined here, with the windows that this shop has set."
    return Section("definitions", "How each number is defined", lead, tables=[table])
