"""What customers are expected to be worth, and who is likely to leave."""

from __future__ import annotations

import math

from dagster_project.reporting import charts, formats, model_queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Figure, Section, Table
from dagster_project.reporting.published import Published, Row
from dagster_project.reporting.sections.ledger import record_of_leaving

MOST_BINS = 20
BIN_WIDTHS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)


def customer_value(shop: Published, metrics: Metrics) -> Section:
    """Predicted value: total, distribution, concentration, beside what customers brought so far."""
    title = "What customers are worth"
    statuses = shop.rows(model_queries.VALUE_STATUS)
    if not statuses:
        return Section("value", title, "There are no customers to value yet.")
    tenths, days = shop.rows(model_queries.VALUE_TENTHS), statuses[0]["horizon_days"]
    if not tenths:
        return Section("value", title, "No customer has a predicted value.", warnings=status_warnings(statuses))
    total = sum(row["total_clv"] for row in tenths)
    top_share = float(tenths[0]["total_clv"] / total) if total else None
    lead = (
        f"Customers are expected to bring {formats.money(total, shop.currency)} of discounted margin in the next "
        f"{days} days; the most valuable tenth ({formats.plural(tenths[0]['count_customers'], 'customer')}) is "
        "expected to "
        f"bring {formats.share(top_share)} of it."
    )
    bins = shop.rows(model_queries.VALUE_BINS)
    labels = [(_range(row), row["count_customers"]) for row in bins]
    unit = shop.currency or "money"
    svg = charts.bars(
        labels,
        f"Predicted value of a customer over {days} days, {unit}",
        "Customers",
        "value-bins",
        "Customers by predicted value",
    )
    note = "Each range is 2 to 2.5 times the one before it. Value: expected margin, discounted."
    body = [
        (label, formats.count(row["count_customers"]), _amount(row, "total_clv", shop, metrics))
        for (label, _), row in zip(labels, bins, strict=True)
    ]
    table = Table("Customers by predicted value", (f"Range, {unit}", "# Customers", "# Predicted value"), body, True)
    figures = [Figure("Customers by predicted value", svg, note, table), _concentration_figure(tenths)]
    return Section(
        "value",
        title,
        lead,
        warnings=status_warnings(statuses),
        figures=figures,
        tables=[_totals(statuses, shop, days), *_ahead(shop)],
    )


PARTS = {"existing_customers": "customers so far", "new_customers": "new customers", "all_customers": "all customers"}


def _ahead(shop: Published) -> list[Table]:
    """What the whole shop is expected to do at each horizon, with the range that eight shops in ten would fall into."""
    body = []
    for row in shop.rows(model_queries.FORECAST):
        is_net = row["measure"] == "net"
        numbers = [row[name] for name in ("expected", "low_80", "high_80")]
        cells = [formats.money(one, shop.currency) if is_net else formats.count(one) for one in numbers]
        what = f"{'Net revenue' if is_net else 'Orders'}, {row['horizon_days']} days, {PARTS[row['part']]}"
        record = (formats.count(row["count_evenings"] or 0), formats.share(row["past_error"]))
        body.append((what, *cells, *record))
    columns = ("Measure", "# Expected", "# 80 % from", "# 80 % to", "# Past month ends", "# Off by then")
    return [Table("Orders and net revenue expected", columns, body)] if body else []


def _concentration_figure(rows: list[Row]) -> Figure:
    """How much of the predicted value each tenth of the customers brings, the most valuable first."""
    total = sum(row["total_clv"] for row in rows)
    bars = [(str(row["tenth"]), float(row["total_clv"] / total) if total else 0.0) for row in rows]
    svg = charts.bars(
        bars,
        "Tenth of the customers, the most valuable first",
        "Share of predicted value, %",
        "value-tenths",
        "Share of predicted value by tenth of the customers",
        is_share=True,
    )
    return Figure("Who brings the predicted value", svg, "With equal values for all, each tenth would bring 10\u00a0%.")


def status_warnings(statuses: list[Row], what: str = "value") -> list[str]:
    """A sentence for every group of customers whose prediction is not a fitted model's."""
    return [
        f"No model was fitted for {what} ({formats.words(row['status'])}: "
        f"{row['status_reason'] or 'no reason given'}). "
        f"“{formats.words(row['model'])}” stands in: averages of customers who started in the same month. They say "
        "what to "
        "expect of a group, not which customer in it is worth more or is more likely to leave."
        for row in statuses
        if row["status"] != "fitted"
    ]


def _totals(statuses: list[Row], shop: Published, days: int) -> Table:
    """Historic beside predicted; never added up."""
    sums = {
        column: sum(row[column] or 0 for row in statuses)
        for column in ("historic_net", "historic_margin", "predicted_net", "predicted_clv")
    }
    cells = {column: formats.money(total, shop.currency) for column, total in sums.items()}
    customers = sum(row["count_customers"] for row in statuses)
    return Table(
        f"Historic and predicted, {formats.plural(customers, 'customer')}",
        ("Measure", "# So far", f"# Next {days} days, expected"),
        (
            ("Net revenue", cells["historic_net"], cells["predicted_net"]),
            ("Margin (predicted: discounted)", cells["historic_margin"], cells["predicted_clv"]),
        ),
    )


def churn(shop: Published, metrics: Metrics) -> Section:
    """Probability of no order in the horizon, of active customers, in bins and in bands."""
    title = "Who is likely to leave"
    statuses = shop.rows(model_queries.CHURN_STATUS)
    active, scored = (sum(row[column] for row in statuses) for column in ("count_active", "count_scored"))
    warnings = status_warnings(statuses, "churn")
    if not active:
        return Section("churn", title, "There are no recently active customers whose leaving could be predicted.")
    if not scored:
        lead = f"None of the {formats.plural(active, 'active customer')} has a probability yet."
        return Section("churn", title, lead, warnings=warnings)
    days = statuses[0]["horizon_days"]
    expected = float(sum(row["expected_buyers"] or 0 for row in statuses))
    spread = 1.96 * math.sqrt(float(sum(row["variance_buyers"] or 0 for row in statuses)))
    low, high = max(0.0, expected - spread), min(float(scored), expected + spread)
    lead = (
        f"Of {formats.plural(scored, 'active customer')} about {formats.count(expected)} are expected to order within "
        f"{days} days ({formats.share(expected / scored)}); by chance alone between {formats.count(low)} and "
        f"{formats.count(high)}, the error of the prediction itself not included."
    )
    bands = shop.rows(model_queries.RISK_BANDS)
    return Section(
        anchor="churn",
        title=title,
        lead=lead,
        warnings=warnings,
        figures=[_probability_figure(shop, statuses, days), *_band_figures(bands)],
        tables=[_band_table(bands, shop, metrics), *_cause_tables(shop, metrics), *_ablation_tables(shop)],
        notes=(
            f"Active here: an order in the {2 * days} days up to the as-of day. Value at risk: probability of no "
            "order times predicted value. Each band shows the probabilities that it holds; of fewer than "
            f"{metrics.minimum_base()} customers only the number is shown. A reason is a cause that weighs among the "
            "customer's three heaviest; weights are in log odds against the mean active customer. What a feed adds is "
            "measured on past evenings: log-loss without it less with it; a gain within 1.96 errors of 0 is nothing.",
            record_of_leaving(shop) or "No chance said on a past month end has come due yet.",
        ),
    )


def _probability_figure(shop: Published, statuses: list[Row], days: int) -> Figure:
    """Bins over the range that occurs: in many shops all probabilities are close together."""
    lowest = min(row["lowest"] for row in statuses if row["lowest"] is not None)
    highest = max(row["highest"] for row in statuses if row["highest"] is not None)
    width = next((width for width in BIN_WIDTHS if (highest - lowest) / width <= MOST_BINS - 1), BIN_WIDTHS[-1])
    first = math.floor(lowest / width)
    count = max(1, math.ceil(highest / width) - first)
    low, decimals = first * width, 0 if width in {0.01, 0.05} else 2
    rows = shop.rows(model_queries.CHURN_BINS, count_bins=count, low=low, width=width)
    found = {row["bin"]: row["count_customers"] for row in rows}
    bars = [(formats.number(100 * (low + place * width), decimals), found.get(place, 0)) for place in range(count)]
    svg = charts.bars(
        bars,
        f"Probability of no order in {days} days, % (from this value up)",
        "Active customers",
        "churn-bins",
        "Active customers by probability of no order",
    )
    note = f"The probabilities run from {formats.share(lowest)} to {formats.share(highest)}."
    return Figure("Active customers by probability of no order", svg, note)


def _band_figures(bands: list[Row]) -> list[Figure]:
    if len(bands) < 2:
        return []
    rows = [(row["risk_band"], row["count_customers"], formats.count(row["count_customers"])) for row in bands]
    svg = charts.sideways_bars(rows, "Active customers", "churn-bands", "Active customers by risk band")
    return [Figure("Active customers by risk band", svg)]


def _amount(row: Row, column: str, shop: Published, metrics: Metrics) -> str:
    """An amount of a group of customers; not of so few that it would tell about one of them."""
    is_few = row["count_customers"] < metrics.minimum_base()
    return "not shown" if is_few else formats.money(row[column], shop.currency)


def _probabilities(row: Row, metrics: Metrics) -> str:
    if row["count_customers"] < metrics.minimum_base():
        return "not shown"
    return f"{formats.share(row['lowest'])} to {formats.share(row['highest'])}"


def _band_table(bands: list[Row], shop: Published, metrics: Metrics) -> Table:
    body = [
        (
            row["risk_band"],
            _probabilities(row, metrics),
            formats.count(row["count_customers"]),
            _amount(row, "predicted_clv", shop, metrics),
            _amount(row, "clv_at_risk", shop, metrics),
        )
        for row in bands
    ]
    columns = ("Risk", "# Probability of no order", "# Active customers", "# Predicted value", "# Value at risk")
    return Table("Risk bands of active customers", columns, body)


def _cause_tables(shop: Published, metrics: Metrics) -> list[Table]:
    """Why customers of the highest band are expected to leave; causes of too few customers are left out."""
    rows = [row for row in shop.rows(model_queries.CHURN_CAUSES) if row["count_customers"] >= metrics.minimum_base()]
    body = [
        (
            formats.words(row["cause"]),
            formats.count(row["count_customers"]),
            formats.count(row["count_first"]),
            formats.significant(row["mean_size"]),
        )
        for row in rows
    ]
    columns = ("Cause", "# Customers", "# As first reason", "# Mean weight")
    return [Table("Why customers at high risk are expected to leave", columns, body)] if body else []


def _ablation_tables(shop: Published) -> list[Table]:
    """What each kind of feed adds to knowing who leaves."""
    body = [
        (
            formats.words(row["feature_group"]),
            formats.significant(row["log_loss_gain"]),
            f"{formats.significant(row['ci_low'])} to {formats.significant(row['ci_high'])}",
            formats.words(row["verdict"]),
        )
        for row in shop.rows(model_queries.CHURN_ABLATION)
        if row["log_loss_gain"] is not None
    ]
    columns = ("Feed beside orders", "# Log-loss gained", "# 95 % interval", "It adds")
    return [Table("What other feeds add to knowing who leaves", columns, body)] if body else []


def _range(row: Row) -> str:
    low, high = row["bound_low"], row["bound_high"]
    if low == 0:
        return "under 0.01"
    return f"{_bound(low)}\N{EN DASH}{_bound(high)}"


def _bound(amount: float) -> str:
    if amount >= 1000:
        size, letter = (1e6, "M") if amount >= 1e6 else (1e3, "k")
        return f"{amount / size:g}{letter}"
    return f"{amount:g}"
