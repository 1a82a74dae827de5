"""One cause at a time on the simulated shop: `explain` names it, it alone, to the customer and to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pytest
from corner_shop import CornerShop
from drill_report import write_section
from injected_night import InjectedNight
from injection import INJECTIONS, Injection
from long_form import IS_LONG

from dagster_project.explaining.changes import Change
from dagster_project.explaining.headlines import HEADLINES, Headline
from dagster_project.explaining.states import CAUSES, STEPS
from dagster_project.publishing.fingerprint import code_fingerprint

SHORT = 2
"""Injections of a test run: others for other code, so that all have their turn."""
CHOSEN = sorted(INJECTIONS) if IS_LONG else Random(code_fingerprint()).sample(sorted(INJECTIONS), SHORT)  # noqa: S311
OF_MODELS = "predicted_clv"
"""Fitted on all customers, so that whatever happens to some moves the numbers of all."""
CONVERTED = Decimal("0.0001")
"""By so much an amount in another currency differs that is converted in two pieces."""
Parts = dict[tuple[Headline, str], Decimal]


@pytest.fixture(scope="module")
def night(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> InjectedNight:
    return InjectedNight(published_shop, tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def page() -> Iterator[list[tuple[object, ...]]]:
    """What became of each injection."""
    rows: list[tuple[object, ...]] = []
    yield rows
    head = ("injected", "the cause that is told", "headlines that move", "customers", "parts of other causes")
    told = f"{len(rows)} of {len(INJECTIONS)} injections, on code `{code_fingerprint()}`."
    write_section("causes", head, rows, told)


def test_the_night_made_again_is_the_published_one(night: InjectedNight) -> None:
    changes = night.explain({}, {}, 0)
    require_exact_sums(night, changes)
    assert parts_of(changes) == {}


@pytest.mark.parametrize("name", CHOSEN)
def test_one_cause_explains_the_whole_difference(
    name: str, night: InjectedNight, page: list[tuple[object, ...]]
) -> None:
    injected = INJECTIONS[name]
    without = night.explain({}, {}, injected.days) if injected.sent and injected.days else []
    changes = night.explain(injected.sent, injected.definitions, injected.days)
    require_exact_sums(night, changes)
    by_cause, by_days = parts_of(changes), without_models(parts_of(without))
    own = {headline: part for (headline, cause), part in by_cause.items() if cause == injected.cause}
    others = {key: part for key, part in by_cause.items() if key[1] != injected.cause}
    assert without_models(others) == by_days
    assert {cause for _, cause in others} <= ({"window_roll"} if without else set())
    reached_without = {change.headline: change.after for change in without}
    for headline in HEADLINES:
        before, after = (published(night, headline, version) for version in ("earlier", "memory"))
        assert {(one.before, one.after) for one in changes if one.headline == headline} == {(before, after)}
        if headline.metric != OF_MODELS or not without:
            assert own.get(headline, 0) == after - reached_without.get(headline, before), headline
    moved = {headline.metric for headline in own}
    assert injected.moves <= moved
    customers = require_customers(night, injected)
    apart = f"{len(others)}, all of the window's roll" if others else 0
    page.append((name, injected.cause, f"{len(own)} of {len(HEADLINES)}", customers, apart))


def parts_of(changes: list[Change]) -> Parts:
    """The parts that are not zero."""
    return {(change.headline, change.cause): change.part for change in changes if change.part}


def without_models(parts: Parts) -> Parts:
    return {key: part for key, part in parts.items() if key[0].metric != OF_MODELS}


def published(night: InjectedNight, headline: Headline, version: str) -> Decimal:
    """A headline as a version tells it: its total, or the latest rate of its period, to twelve decimals."""
    if headline.published:
        [(total,)] = night.con.execute(headline.published.format(catalogue=version)).fetchall()
        return Decimal(total)
    rows = night.con.execute(
        f"select numerator, denominator from {version}.marts.loyalty_metrics "
        "where metric = ? and period_type = ? and segment_type = 'all' order by period_start desc limit 1",
        [headline.metric, headline.period_type],
    ).fetchall()
    [(numerator, denominator)] = rows
    return (numerator * headline.scale / denominator).quantize(Decimal("1e-12"), rounding="ROUND_HALF_UP")


def require_exact_sums(night: InjectedNight, changes: list[Change]) -> None:
    """Parts of causes add up to the difference, parts of customers to the parts of causes."""
    sums = {
        tuple(key): total
        for *key, total in night.con.execute(
            "select metric, period_type, step, sum(part) from customer_changes group by all"
        ).fetchall()
    }
    for headline in HEADLINES:
        own = [change for change in changes if change.headline == headline]
        assert [change.cause for change in own] == list(CAUSES)
        assert own[0].before is not None
        assert own[0].after is not None
        assert sum(change.part for change in own) == own[0].after - own[0].before
        for change in own:
            key = (headline.metric, headline.period_type, STEPS[change.cause])
            assert sums.get(key, 0) == change.part, key


def require_customers(night: InjectedNight, injected: Injection) -> int:
    """Nobody else's numbers move, and what each has spent moves by what was injected; gives how many move."""
    parts = f"from customer_changes where step = {STEPS[injected.cause]} and part <> 0 and metric"
    moved = {key for (key,) in night.con.execute(f"select distinct customer_key {parts} <> '{OF_MODELS}'").fetchall()}
    if injected.customers is not None:
        assert moved <= {key for (key,) in night.con.execute(injected.customers).fetchall()}
    told = dict(night.con.execute(f"select customer_key, sum(part) {parts} = 'total_net' group by all").fetchall())
    spent = dict(
        night.con.execute(
            f"select customer_key, sum(amount) from ({injected.spent}) group by all having sum(amount) <> 0"
        ).fetchall()
    )
    assert told.keys() == spent.keys()
    assert all(abs(told[key] - spent[key]) <= CONVERTED for key in told)
    return len(moved)
