"""How far the shop's total was off on rolling evenings: by the calendar, in season, and with the season behind a gate.

    python benchmarks/clv_level.py [--quick] [--homes FOLDER] [--seeds N]

Every 28 days (simulated shops: 42) a shop is looked at as of then: MBG/NBD by the calendar and by the shop's own clock
say what existing customers will order in the next 28, 91 and 182 days, and the log of said over ordered is the miss.
Three ways to use the season are compared: never; always, where the shop is a year old (what `level` does); and only
after it has helped by more than one standard error in the 28-day windows that had ended by then (the strict gate). The
95, 80 and 50 % intervals of the total are those of `CommonError`, fed with up to three earlier windows of the same
length, as a night is.

Simulated shops have 5,000 customers over 760 days of worlds that are named in `WORLDS`: flat, seasons of several forms,
wandering levels, growth and decline, Pareto/NBD and regular gaps; evenings start after 150 days. Open data are read
from the marts that `clv_accuracy.py --homes` keeps; nothing in `level` was chosen by them.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; ours is the
miss (root mean square) in season, other that of the calendar or of the gate, and the ratio other / ours.
--quick takes five worlds and one seed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from clv_accuracy import marts
from scipy.stats import t as student

from dagster_project.modelling.btyd import ModifiedBetaGeo
from dagster_project.modelling.history_statistics import history_statistics
from dagster_project.modelling.intervals.totals import CommonError
from dagster_project.modelling.level.activity import repeat_activity
from dagster_project.modelling.level.orders import fit_orders_level
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.purchase_history import OCCASIONS

HORIZONS = (28, 91, 182)
FIRST_DAY, DAYS, CUSTOMERS = dt.date(2023, 1, 1), 760, 5_000
OPEN = {
    "cdnow_full": (dt.date(1997, 1, 1), dt.date(1998, 6, 30)),
    "online_retail": (dt.date(2009, 12, 1), dt.date(2011, 12, 9)),
    "olist": (dt.date(2016, 10, 1), dt.date(2018, 8, 31)),
}
Speed = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class World:
    """How a simulated shop's customers buy: all at one speed by day, each at a rate and with a life of their own.

    Attributes:
        speed: of the shop on each day, above 0.
        shape: r of the rates.
        scale_days: alpha of the rates.
        stages: of a gap; 1 is a Poisson process.
        dies_at_any_time: Pareto/NBD in place of MBG/NBD.
        arrivals: how many more new customers a day come at the end than at the start, as a share.
        arrives_in_season: whether new customers come by the same speed.
    """

    speed: Speed
    shape: float = 0.8
    scale_days: float = 60.0
    stages: int = 1
    dies_at_any_time: bool = False
    arrivals: float = 0.0
    arrives_in_season: bool = False

    def occasions(self, seed: int) -> pd.DataFrame:
        """Customer and day of every purchase, each pair once."""
        rng, days = np.random.default_rng(seed), np.arange(DAYS)
        elapsed = np.concatenate(([0.0], np.cumsum(self.speed(days + 0.5, rng))))
        weights = (np.diff(elapsed) if self.arrives_in_season else np.ones(DAYS)) * (1 + self.arrivals * days / DAYS)
        first = rng.choice(DAYS, size=CUSTOMERS, p=weights / weights.sum()).astype(np.float64)
        rate = rng.gamma(self.shape, 1 / self.scale_days, CUSTOMERS)
        leaves, life = rng.beta(0.7, 2.5, CUSTOMERS), np.full(CUSTOMERS, np.inf)
        if self.dies_at_any_time:
            leaves[:], life = 0.0, rng.exponential(1, CUSTOMERS) / rng.gamma(0.6, 1 / 80.0, CUSTOMERS)
        start = np.interp(first + 0.5, np.arange(DAYS + 1), elapsed)
        now, alive = start.copy(), rng.random(CUSTOMERS) >= leaves
        who, when = [np.arange(CUSTOMERS)], [first]
        while alive.any():
            now = now + rng.gamma(self.stages, 1 / self.stages, CUSTOMERS) / np.maximum(rate, 1e-12)
            alive = alive & (now < elapsed[-1]) & (now - start < life)
            who.append(np.flatnonzero(alive))
            when.append(np.floor(np.interp(now[alive], elapsed, np.arange(DAYS + 1))))
            alive = alive & (rng.random(CUSTOMERS) >= leaves)
        return pd.DataFrame({"customer": np.concatenate(who), "day": np.concatenate(when)}).drop_duplicates()


def even(days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """No season."""
    return np.ones_like(days)


def wave(height: float, highest_day: float = 330.0) -> Speed:
    """A cosine."""
    return lambda days, rng: 1 + height * np.cos(2 * np.pi * (days - highest_day) / 365.25)


def christmas(days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A peak of 70 % early in December, a hollow of 15 % at the end of July."""
    of_year = days % 365.25
    return 1 + 0.7 * np.exp(-(((of_year - 335) / 20) ** 2)) - 0.15 * np.exp(-(((of_year - 210) / 30) ** 2))


def wandering(spread: float, season: Speed = even) -> Speed:
    """A log level that is e times less off after 90 days."""

    def speed(days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        keeps, level = np.exp(-1 / 90), np.empty(days.size)
        steps = rng.standard_normal(days.size) * spread * np.sqrt(1 - keeps**2)
        level[0] = rng.standard_normal() * spread
        for day in range(1, days.size):
            level[day] = keeps * level[day - 1] + steps[day]
        return np.exp(level) * season(days, rng)

    return speed


def drifting(a_year: float, season: Speed = even) -> Speed:
    """A log level that is a random walk."""
    return lambda days, rng: (
        np.exp(np.cumsum(rng.standard_normal(days.size)) * a_year / np.sqrt(365)) * season(days, rng)
    )


def trending(a_year: float, season: Speed = even) -> Speed:
    """A log level that is a line."""
    return lambda days, rng: np.exp(a_year * days / 365) * season(days, rng)


WORLDS = {
    "even": World(even),
    "christmas": World(christmas),
    "wave of 25 %": World(wave(0.25)),
    "wandering 30 %": World(wandering(0.3)),
    "even, rare buyers": World(even, shape=0.4, scale_days=600.0),
    "even, Pareto/NBD": World(even, dies_at_any_time=True),
    "even, regular gaps": World(even, stages=2),
    "wave of 10 %": World(wave(0.10)),
    "wave of 40 % in spring": World(wave(0.40, 100)),
    "wave of 40 %, Pareto/NBD": World(wave(0.40), dies_at_any_time=True),
    "christmas, new customers too": World(christmas, arrivals=1.0, arrives_in_season=True),
    "christmas, regular gaps": World(christmas, stages=2),
    "christmas, rare buyers": World(christmas, shape=0.4, scale_days=600.0),
    "christmas, decline": World(trending(-0.3, christmas)),
    "christmas, drifting 20 %": World(drifting(0.2, christmas), arrivals=1.0),
    "christmas, wandering 15 %": World(wandering(0.15, christmas)),
    "wave of 25 %, wandering 30 %": World(wandering(0.3, wave(0.25))),
    "wandering 15 %": World(wandering(0.15)),
    "drifting 20 %": World(drifting(0.2)),
    "growth": World(trending(0.3)),
}


def main() -> None:
    """Roll every shop and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--homes", type=Path, help="folder of marts as clv_accuracy.py keeps it; none, no open data")
    arguments = parser.parse_args()
    worlds = list(WORLDS.items())[: 5 if arguments.quick else None]
    found = []
    for name, world in worlds:
        for seed in range(1, 2 if arguments.quick else arguments.seeds + 1):
            with shop_of(world.occasions(seed)) as con:
                last = FIRST_DAY + dt.timedelta(days=DAYS - 1)
                found.append(judged(rolled(con, FIRST_DAY, last, 42)).assign(shop=name, kind="simulated", seed=seed))
    for name, (first, last) in OPEN.items() if arguments.homes and os.environ.get("LOYALTY_DATA") else ():
        with duckdb.connect(str(marts(name, arguments.homes)), read_only=True) as con:
            rows = rolled(con, first, last, 28, counts_zero_value_orders=name.startswith("cdnow"))
            found.append(judged(rows).assign(shop=name, kind="open", seed=0))
    tell_all(pd.concat(found, ignore_index=True))


def shop_of(occasions: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """Marts with one order of ten a purchase."""
    con = duckdb.connect()
    con.register("occasions", occasions)
    con.execute("create schema marts")
    con.execute(
        "create table marts.fct_orders as select row_number() over ()::varchar as order_key,"
        " customer::varchar as customer_key, $first::date + day::integer as order_date,"
        " 10.0::decimal(18, 4) as gross_amount, null::varchar as exclusion_reason from occasions",
        {"first": FIRST_DAY},
    )
    con.execute(
        "create table marts.fct_refunds (refund_key varchar, order_key varchar, refund_date date,"
        " refund_amount decimal(18, 4))"
    )
    return con


def rolled(
    con: duckdb.DuckDBPyConnection,
    first: dt.date,
    last: dt.date,
    step_days: int,
    *,
    counts_zero_value_orders: bool = False,
) -> pd.DataFrame:
    """One row per evening and horizon: what was said both ways, the error claimed, and what followed."""
    rows, cutoff, is_counted = [], last - dt.timedelta(days=HORIZONS[0]), counts_zero_value_orders
    while (cutoff - first).days >= 150:
        histories = history_statistics(con, cutoff, counts_zero_value_orders=is_counted)
        x, t_x, age, count = (histories[name].to_numpy(dtype=np.float64) for name in histories)
        evening, cutoff = cutoff, cutoff - dt.timedelta(days=step_days)
        try:
            calendar = ModifiedBetaGeo.fit(x, t_x, age, count)
        except DidNotConverge:
            continue
        activity = repeat_activity(con, evening, counts_zero_value_orders=is_counted)
        level = fit_orders_level(activity, ModifiedBetaGeo, x, t_x, age, count_customers=count)
        given = {"cutoff": last, "counts_zero_value_orders": is_counted, "evening": evening}
        for horizon in (days for days in HORIZONS if (last - evening).days >= days):
            [(ordered,)] = con.execute(OCCASIONS + _ORDERED, {**given, "horizon": horizon}).fetchall()
            said = [
                float(count @ model.expected_purchases(x, t_x, age, horizon))
                for model in (calendar, level.model or calendar)
            ]
            by_calendar, in_season = np.log(said) - np.log(max(ordered, 1))
            claimed = float(np.hypot(level.foreseen.log_error(horizon), max(ordered, 1) ** -0.5))
            rows.append((evening, horizon, level.foreseen.is_gated, by_calendar, in_season, claimed))
    return pd.DataFrame(rows, columns=["evening", "horizon", "is_young", "calendar", "season", "claimed"])


_ORDERED = """,
known as (select customer_key from occasions group by customer_key having min(occasion_date) <= $evening)
select count(*)
from occasions
inner join known using (customer_key)
where occasion_date > $evening and occasion_date <= $evening::date + $horizon::integer
"""


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the miss behind the strict gate, and where in its interval the total fell."""
    gated, place = [], []
    ended = np.array([row.evening + dt.timedelta(days=row.horizon) for row in rows.itertuples()])
    for row in rows.itertuples():
        known = ended <= row.evening
        windows = rows[known & (rows["horizon"] == HORIZONS[0]) & ~rows["is_young"]]
        gains = (windows["season"] ** 2 - windows["calendar"] ** 2).to_numpy()
        helped = gains.size > 1 and gains.mean() + gains.std(ddof=1) / gains.size**0.5 < 0
        gated.append(row.season if helped else row.calendar)
        past = apart(rows[known & (rows["horizon"] == row.horizon)], row.horizon)
        error = CommonError.of(row.claimed, past["season"], past["claimed"])
        place.append(abs(student.cdf(row.season / error.log_error, error.degrees) - 0.5))
    return rows.assign(gated=gated, place=place)


def apart(windows: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """The latest three windows that do not overlap."""
    kept: list[int] = []
    for place, evening in windows["evening"].items():
        if len(kept) < 3 and (not kept or (windows.loc[kept[-1], "evening"] - evening).days >= horizon):
            kept.append(place)
    return windows.loc[kept]


def tell_all(rows: pd.DataFrame) -> None:
    """Print misses by shop, over shops, and the coverage of the intervals."""

    def miss(part: pd.DataFrame) -> dict[str, float]:
        return {way: float(np.sqrt((part[way] ** 2).mean())) for way in ("season", "calendar", "gated")}

    old = rows[~rows["is_young"]]
    for (kind, horizon), of_kind in old.groupby(["kind", "horizon"], sort=False):
        each = {shop: miss(part) for shop, part in of_kind.groupby("shop", sort=False)}
        for shop, found in [*each.items(), ("mean over shops", dict(pd.DataFrame(each.values()).mean()))]:
            for way, name in (("calendar", "by the calendar"), ("gated", "behind a strict gate")):
                tell(f"{kind}, {horizon} days, {shop}: miss of the total", found["season"], found[way], name)
    for (kind, is_young, horizon), part in rows.groupby(["kind", "is_young", "horizon"], sort=False):
        age = "younger than a year" if is_young else "a year old"
        for level in (0.50, 0.80, 0.95):
            by_shop = (part["place"] < level / 2).groupby(part["shop"]).mean()
            case = f"{kind}, {horizon} days, shops {age}: coverage {level * 100:.0f} %, {len(part)} windows"
            tell(case, float(by_shop.mean()), level, "nominal")


def tell(case: str, ours: float, other: float, other_name: str) -> None:
    """Print one figure."""
    figure = {
        "bench": "clv_level",
        "case": case,
        "ours": round(ours, 4),
        "other": round(other, 4),
        "other_name": other_name,
        "ratio": round(other / ours, 3) if ours else None,
        "unit": "",
        "runs": 1,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
