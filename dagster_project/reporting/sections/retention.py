"""Who comes back: retention month by month, cohort by cohort, and the RFM segments."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.reporting import charts, formats, queries
from dagster_project.reporting.metrics import Metrics, previous_month
from dagster_project.reporting.page import Figure, Section, Table
from dagster_project.reporting.published import Published, Row
from dagster_project.reporting.sections.rates import rate_figures

COUNT_COHORTS = 24
LOYAL_SEGMENTS = ("champions", "loyal")


def retention(shop: Published, metrics: Metrics) -> Section:
    """Monthly retention with its interval."""
    rows = metrics.series("retention_rate", "month")
    title = "Retention month by month"
    if not rows:
        return Section(
            "retention", title, "No month has a complete month before it yet, so there is no retention to show."
        )
    period = metrics.last_month()
    last = metrics.at("retention_rate", period)
    before = previous_month(period.start)
    lead = f"Nobody bought in {formats.month(before)}, so {period.name} has no retention rate."
    if last and last["has_minimum_base"]:
        lead = (
            f"Of the {formats.plural(last['denominator'], 'customer')} who bought in {formats.month(before)}, "
            f"{formats.count(last['numerator'])} bought again in {period.name}: {metrics.amount(last)} "
            f"({metrics.interval(last)})."
        )
        earlier = [row for row in rows if row["period_start"] == before]
        lead += metrics.comparison(last, earlier[0] if earlier else None, formats.month(before))
    elif last:
        bought = formats.plural(last["denominator"], "customer")
        lead = f"Only {bought} bought in {formats.month(before)}: too few for a rate."
    return Section(
        anchor="retention",
        title=title,
        lead=lead,
        figures=_figures(metrics),
        notes=(
            "Churn is one minus retention. In a shop whose customers buy less often than monthly, monthly retention "
            "is low "
            "by nature: read it beside the quarter and the cohorts.",
        ),
    )


def _figures(metrics: Metrics) -> list[Figure]:
    """Months, and beside them quarters."""
    return [
        figure
        for noun in ("month", "quarter")
        for figure in rate_figures(
            {"retention": metrics.series("retention_rate", noun)},
            metrics,
            title=f"Retention rate per {noun}",
            y_title=f"Bought again in the next {noun}, %",
            y_format=".1~%",
            name=f"retention-{noun}",
            noun=noun,
        )
    ]


def cohorts(shop: Published, metrics: Metrics) -> Section:
    """Cohorts by month of the first order, against months since."""
    rows = shop.rows(queries.COHORTS, count_cohorts=COUNT_COHORTS)
    title = "Cohorts: who came back, and when"
    if not rows:
        return Section("cohorts", title, "No cohort has reached its second month yet, so there is nothing to compare.")
    minimum = metrics.minimum_base()
    cells = []
    for row in rows:
        is_shown = row["is_mature"] and row["count_customers"] >= minimum
        rate = row["retention_rate"] if is_shown else None
        cells.append(
            {
                "row": f"{row['cohort_month']:%Y-%m}  ({formats.count(row['count_customers'])})",
                "column": row["months_since_first_order"],
                "share": rate,
                "text": "" if rate is None else formats.number(100 * rate, 1),
            }
        )
    svg = charts.heat_map(
        cells,
        "Whole months since the first order",
        "cohort-map",
        "Share of each cohort that bought again, by months since the first order",
    )
    note = (
        "Each cell: percent of the cohort that bought in that month. Outlined and empty: the month is not over, or "
        "the "
        f"cohort has fewer than {minimum} customers. Month 0 is always 100{formats.NBSP}% and left out."
    )
    return Section(
        anchor="cohorts",
        title=title,
        lead=_cohort_lead(rows),
        figures=[Figure("Share buying again, by month of the first order (customers)", svg, note, is_wide=True)],
    )


def _cohort_lead(rows: Sequence[Row]) -> str:
    parts = []
    for months in (1, 3, 6, 12):
        mature = [row for row in rows if row["months_since_first_order"] == months and row["is_mature"]]
        customers = sum(row["count_customers"] for row in mature)
        if customers:
            came = sum(row["count_active_customers"] for row in mature) / customers
            parts.append(f"{formats.share(came)} in month {months} (n = {formats.count(customers)})")
    if not parts:
        return "No cohort has a complete month after its first yet."
    return (
        f"Of the customers in these cohorts, {', '.join(parts)} bought again; only complete months count, so later "
        "months "
        "rest on the older cohorts alone."
    )


def segments(shop: Published, metrics: Metrics) -> Section:
    """RFM segments: how many customers, and how much of the net."""
    rows = shop.rows(queries.SEGMENTS)
    title = "Segments by recency, frequency and money (RFM)"
    if not rows:
        return Section("segments", title, "There are no customers to put into segments yet.")
    customers, net = sum(row["count_customers"] for row in rows), float(sum(row["total_net"] for row in rows))
    shares = {
        row["segment"]: (row["count_customers"] / customers, float(row["total_net"]) / net if net > 0 else None)
        for row in rows
    }
    by_customers = [
        (formats.words(row["segment"]), row["count_customers"], formats.share(shares[row["segment"]][0]))
        for row in rows
    ]
    by_net = [
        (formats.words(row["segment"]), float(row["total_net"]), formats.share(shares[row["segment"]][1]))
        for row in rows
    ]
    unit = shop.currency or "money"
    body = [
        (
            formats.words(row["segment"]),
            formats.count(row["count_customers"]),
            formats.share(shares[row["segment"]][0]),
            formats.money(row["total_net"], shop.currency),
            formats.share(shares[row["segment"]][1]),
            formats.count(row["median_days_since_last_order"]),
        )
        for row in rows
    ]
    columns = (
        "Segment",
        "# Customers",
        "# Share",
        "# Net in the window",
        "# Share of net",
        "# Median days since last order",
    )
    return Section(
        anchor="segments",
        title=title,
        lead=_segment_lead(rows, shares),
        figures=[
            Figure(
                "Customers per segment",
                charts.sideways_bars(by_customers, "Customers", "segment-customers", "Customers per RFM segment"),
            ),
            Figure(
                "Net revenue per segment, trailing window",
                charts.sideways_bars(by_net, f"Net revenue, {unit}", "segment-net", "Net revenue per RFM segment"),
            ),
        ],
        tables=[Table("RFM segments", columns, body)],
        notes=("Equal customers share a score, so where most bought once some segments stay empty.",),
    )


def _segment_lead(rows: Sequence[Row], shares: dict[str, tuple[float, float | None]]) -> str:
    loyal = [shares[name] for name in LOYAL_SEGMENTS if name in shares]
    largest = max(rows, key=lambda row: (row["count_customers"], row["segment"]))["segment"]
    text = f"The largest segment is {formats.words(largest)} with {formats.share(shares[largest][0])} of customers"
    net = [part for _, part in loyal if part is not None]
    if loyal and net:
        text += (
            f"; champions and loyal customers are {formats.share(sum(part for part, _ in loyal))} of customers and "
            "bring "
            f"{formats.share(sum(net))} of the net revenue in the trailing window"
        )
    return text + "."
