"""Effects on those to whom something happened: the SQL beside numpy, and whether its interval keeps its promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from tiny_shop import in_memory

NULLS = (
    "count_referrals_after", "count_member_days_after", "is_lapsed_after", "count_occasions_earlier",
    "total_net_earlier", "days_since_last_order", "count_occasions_before", "total_net_before", "tenure_days",
)  # fmt: skip
Effects = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def effects(empty_night_of: Callable[[str], Any]) -> Iterator[Effects]:
    """The effects of follow-ups, by comparison and outcome."""
    sql = in_memory(empty_night_of("demo").compiled_model("int_matched_effects"))
    with duckdb.connect() as con:
        con.execute("create schema intermediate")

        def of(follow_ups: pd.DataFrame) -> pd.DataFrame:
            nulls = ", ".join(f"null::{'boolean' if name.startswith('is_') else 'bigint'} as {name}" for name in NULLS)
            con.register("follow_ups", follow_ups)
            con.execute(
                "create or replace table intermediate.int_matched_follow_ups as select * replace "
                f"(total_net_after::decimal(18, 4) as total_net_after), {nulls} from follow_ups"
            )
            return con.execute(f"select * from ({sql}) order by comparison, outcome").df()

        yield of


def drawn(rng: np.random.Generator, comparison: str, effect: float, customers: int = 240) -> pd.DataFrame:
    """Customers who stand in several states each: half of them, on some day, meet something worth `effect`."""
    level = rng.normal(0, 10, customers)
    customer = rng.integers(0, customers, 3 * customers)
    stratum = np.clip(np.round(level[customer] / 8) + rng.integers(0, 2, len(customer)), -2, 2)
    is_exposed = rng.random(len(customer)) < 0.2 + 0.05 * stratum
    net = 50 + 5 * stratum + level[customer] + rng.normal(0, 5, len(customer)) + effect * is_exposed
    return pd.DataFrame({
        "comparison": comparison, "exposure": "joined", "horizon_days": 90, "stratum": stratum.astype(int),
        "customer_key": [f"c{number}" for number in customer], "is_exposed": is_exposed,
        "count_occasions_after": rng.poisson(1, len(customer)), "total_net_after": np.round(net, 4),
    })  # fmt: skip


def by_numpy(rows: pd.DataFrame, amount: pd.Series) -> tuple[float, float, float]:
    """Mean of the exposed, mean of the others with the exposed's strata, and the standard error by customers."""
    others: dict[int, float] = {}
    parts: dict[str, float] = {}
    kept = []
    for number, stratum in rows.groupby("stratum"):
        if stratum["is_exposed"].any() and (~stratum["is_exposed"]).sum() >= 2:
            others[int(number)] = float(amount[stratum.index[~stratum["is_exposed"]]].mean())
            kept.append(int(number))
    exposed = rows[rows["is_exposed"] & rows["stratum"].isin(kept)]
    mean, other = amount[exposed.index].mean(), exposed["stratum"].map(others).mean()
    for number in kept:
        stratum = rows[rows["stratum"] == number]
        count = int((~stratum["is_exposed"]).sum())
        weight = int(stratum["is_exposed"].sum()) / count * np.sqrt(count / (count - 1))
        for index, row in stratum.iterrows():
            rest = amount[index] - others[number]
            part = rest - (mean - other) if row["is_exposed"] else -weight * rest
            parts[row["customer_key"]] = parts.get(row["customer_key"], 0.0) + part
    return float(mean), float(other), float(np.sqrt(sum(part**2 for part in parts.values())) / len(exposed))


@pytest.mark.parametrize("seed", range(3))
def test_effects_equal_numpy(effects: Effects, seed: int) -> None:
    rows = drawn(np.random.default_rng(seed), "nps", 4.0, customers=60)
    found = effects(rows).set_index("outcome")
    amounts = {
        "net_per_customer": rows["total_net_after"],
        "repurchase_share": (rows["count_occasions_after"] > 0).astype(float),
    }
    for outcome, amount in amounts.items():
        told = found.loc[outcome, ["mean_exposed", "mean_others", "standard_error"]].astype(float)
        assert told.tolist() == pytest.approx(by_numpy(rows, amount), abs=1e-5)


def test_effects_do_not_depend_on_the_order_of_rows(effects: Effects) -> None:
    rows = drawn(np.random.default_rng(9), "nps", 4.0)
    pd.testing.assert_frame_equal(effects(rows), effects(rows.sample(frac=1, random_state=1)), check_exact=True)


def test_interval_holds_the_true_effect_as_often_as_it_says(effects: Effects) -> None:
    """400 shops in which customers differ, and stand in several states each: 95 % up to four standard errors."""
    rng = np.random.default_rng(4)
    found = effects(pd.concat([drawn(rng, f"shop {number}", 3.0) for number in range(400)]))
    found = found[found["outcome"] == "net_per_customer"]
    holds = (found["difference"] - 3.0).abs() <= 1.959963984540054 * found["standard_error"]
    assert len(holds) == 400
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 400) < holds.mean() < 0.95 + 4 * np.sqrt(0.95 * 0.05 / 400)
    assert abs(found["difference"].mean() - 3.0) < 4 * found["difference"].std() / np.sqrt(400)
