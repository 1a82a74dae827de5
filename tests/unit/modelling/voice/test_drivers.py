"""Drivers: effects and importance against closed forms, planted effects, and what must not be claimed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from real_data import data_folder
from voiced_shop import FACTS, invitations, shop

from dagster_project.modelling.voice.drivers import CONTROL, DriverSettings, satisfaction_drivers

QUICK = DriverSettings(draws=200)


def planted(seed: int, count: int = 4_000, late: float = -20.0) -> pd.DataFrame:
    """Answers moved by lateness and price; discount and channel do nothing but go along with them."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"customer_key": rng.integers(0, count // 2, count).astype("U6")})
    rows["is_late"] = rng.random(count) < 0.15
    rows["price"] = rng.gamma(2.0, 30.0, count)
    rows["discount"] = 0.2 * rng.random(count) + 0.001 * rows["price"]
    rows["channel"] = rng.choice(["app", "web", "store"], count, p=[0.5, 0.3, 0.2])
    rows["outcome"] = 80 + late * rows["is_late"] - 0.1 * rows["price"] + rng.normal(0, 20, count)
    return rows


DRIVER_OF = {"is_late": "delivery", "price": "price", "discount": "promotion", "channel": "experience"}


def test_planted_effects_are_recovered_within_their_limits():
    found = satisfaction_drivers(planted(0), DRIVER_OF, QUICK)
    effects = found.effects.set_index("fact")
    assert effects["ci_low"]["is_late=True"] < -20 < effects["ci_high"]["is_late=True"]
    assert effects["ci_low"]["price"] < -0.1 < effects["ci_high"]["price"]
    assert effects["verdict"].to_dict() == {
        "is_late=True": "lowers", "price": "lowers", "discount": "cannot_say",
        "channel=web": "cannot_say", "channel=store": "cannot_say",
    }  # fmt: skip
    importance = found.importance.set_index("driver")
    assert importance["importance_rank"]["delivery"] == 1
    assert importance["leads_share"]["delivery"] > 0.95
    assert importance["importance_share"].sum() == pytest.approx(1, abs=1e-5)
    assert found.r_squared == pytest.approx(1 - 400 / planted(0)["outcome"].var(), abs=0.03)


def test_facts_without_effect_are_rarely_claimed():
    """Four columns without effect in twenty shops: at 95 % for all at once, one shop is expected to claim one."""
    claims = 0
    for seed in range(20):
        effects = satisfaction_drivers(planted(seed, count=1_000, late=0.0), DRIVER_OF, QUICK).effects
        own = effects[effects["fact"] != "price"]
        claims += bool((own["verdict"] != "cannot_say").any())
    assert claims <= 3  # more in one run of sixty


def test_effects_are_least_squares_where_nothing_needs_shrinking():
    rows = planted(2, count=20_000)
    facts = (
        rows[["is_late", "price", "discount"]]
        .astype(float)
        .clip(*rows[["is_late", "price", "discount"]].astype(float).quantile([0.01, 0.99]).to_numpy(), axis=1)
    )
    design = np.column_stack([np.ones(len(rows)), facts])
    coefficients = np.linalg.lstsq(design, rows["outcome"], rcond=None)[0][1:]
    found = satisfaction_drivers(rows, {key: DRIVER_OF[key] for key in ("is_late", "price", "discount")}, QUICK)
    np.testing.assert_allclose(found.effects["effect_per_unit"], coefficients, rtol=0.05, atol=0.3)


def test_importance_of_two_drivers_is_the_mean_over_both_orders():
    """LMG of two standardised facts with correlation r: half of R2(1) + R2(1,2) - R2(2)."""
    rng = np.random.default_rng(3)
    first = rng.normal(size=5_000)
    second = 0.6 * first + 0.8 * rng.normal(size=5_000)
    rows = pd.DataFrame(
        {
            "customer_key": np.arange(5_000).astype("U5"),
            "first": np.clip(first, -2, 2),
            "second": np.clip(second, -2, 2),
        }
    )
    rows["outcome"] = 3 * rows["first"] + 2 * rows["second"] + rng.normal(0, 3, 5_000)
    r1, r2, r12 = (
        rows[list(pair)].corr().iloc[0, 1]
        for pair in (("first", "outcome"), ("second", "outcome"), ("first", "second"))
    )
    both = (r1**2 + r2**2 - 2 * r1 * r2 * r12) / (1 - r12**2)
    found = satisfaction_drivers(rows, {"first": "product", "second": "service"}, QUICK)
    share = found.importance.set_index("driver")["importance_share"]
    assert found.r_squared == pytest.approx(both, abs=0.005)
    assert share["product"] == pytest.approx((r1**2 + both - r2**2) / 2 / both, abs=0.01)


def test_many_levels_without_effect_have_no_importance():
    """Twenty levels explain two percent of a thousand answers by chance, a third of what lateness does."""
    shares, leads = [], []
    for seed in range(10):
        rows = planted(seed, count=1_000, late=-15.0).drop(columns="price")
        rows["kind"] = np.random.default_rng(seed).integers(0, 20, len(rows)).astype("U2")
        found = satisfaction_drivers(rows, {"is_late": "delivery", "kind": "product"}, QUICK).importance
        of_goods = found.set_index("driver").loc["product"]
        shares.append(of_goods["importance_share"])
        leads.append(of_goods["leads_share"])
        assert of_goods["ci_low"] == 0
    assert np.mean(shares) < 0.08
    assert max(leads) < 0.1


def test_drivers_that_explain_no_more_than_chance_have_no_shares():
    rows = planted(1, count=1_000, late=0.0)
    rows["outcome"] -= rows.groupby("is_late")["outcome"].transform("mean")
    found = satisfaction_drivers(rows, {"is_late": "delivery"}, QUICK)
    assert found.status == "fitted"
    assert found.effects["verdict"].tolist() == ["cannot_say"]
    assert found.importance.empty


def test_that_a_fact_is_missing_is_held_and_not_judged():
    rows = planted(8)
    rows.loc[rows.index % 3 == 0, "channel"] = None
    found = satisfaction_drivers(rows, DRIVER_OF, QUICK).effects.set_index("fact")
    assert not [fact for fact in found.index if "missing" in fact]
    assert found["mean_fact"]["channel=web"] == pytest.approx((rows["channel"] == "web").mean(), abs=1e-6)


def test_controls_are_held_and_not_judged():
    rows = planted(4)
    found = satisfaction_drivers(rows, DRIVER_OF | {"price": CONTROL}, QUICK)
    assert "price" not in set(found.effects["fact"])
    assert set(found.importance["driver"]) == {"delivery", "promotion", "experience"}
    assert found.effects.set_index("fact")["verdict"]["discount"] == "cannot_say"


def test_the_order_of_the_rows_does_not_matter():
    rows = planted(5, count=800)
    there, back = (satisfaction_drivers(given, DRIVER_OF, QUICK) for given in (rows, rows[::-1]))
    pd.testing.assert_frame_equal(there.effects, back.effects)
    pd.testing.assert_frame_equal(there.importance, back.importance)


def test_nothing_is_said_of_few_answers_or_of_one_outcome():
    rows = planted(6, count=150)
    assert satisfaction_drivers(rows, DRIVER_OF).status == "too_few_answers"
    assert satisfaction_drivers(planted(6).assign(outcome=5.0), DRIVER_OF).status == "nothing_varies"
    assert satisfaction_drivers(rows[:0], DRIVER_OF).effects.empty
    with pytest.raises(ValueError, match="answers lack speed"):
        satisfaction_drivers(rows, {"speed": "delivery"})
    many = {f"fact_{number}": f"driver_{number}" for number in range(11)}
    with pytest.raises(ValueError, match="expected at most 10"):
        satisfaction_drivers(rows.assign(**dict.fromkeys(many, 0.0)), many)


def test_drivers_of_a_simulated_shop_are_those_that_were_planted():
    """Late parcels lower the score after a delivery; the day of the week, spend and promotions do nothing to it."""
    rows = invitations(replace(shop(11), customers=9_000), "transactional")
    answered = rows[rows["is_answered"]].assign(outcome=lambda own: own["score_0_100"])
    answered = answered.astype({"customer_key": "str"})
    driver_of = {"was_late": "delivery", "net": "price", "channel": "experience", "tenure_days": CONTROL}
    found = satisfaction_drivers(answered, driver_of | {"count_orders": CONTROL}, QUICK)
    verdicts = found.effects.set_index("fact")["verdict"]
    assert verdicts["was_late=True"] == "lowers"
    assert (verdicts.drop("was_late=True") == "cannot_say").all()
    assert found.importance["driver"][0] == "delivery"
    assert set(FACTS) >= {"was_late", "tenure_days"}


def test_late_delivery_is_the_leading_driver_of_bad_reviews_on_olist():
    answers = olist_answers(data_folder("olist"))
    found = satisfaction_drivers(
        answers,
        {"was_late": "delivery", "was_missing": "delivery", "price": "price", "freight_share": "price",
         "count_items": "product", "weight": "product", "photos": "product", "count_sellers": "service"},
        QUICK,
    )  # fmt: skip
    leading = found.importance.iloc[0]
    assert leading["driver"] == "delivery"
    assert leading["ci_low"] > 0.8
    assert leading["leads_share"] == 1
    late = found.effects.set_index("fact").loc["was_late=True"]
    assert 10 < late["ci_low"] < late["ci_high"] < 30  # points of a hundred: chance of one or two stars
    assert found.r_squared > 0.2


def olist_answers(folder: Path) -> pd.DataFrame:
    """Reviews of orders with what was known when each was answered; outcome 100 for one or two stars, else 0."""

    def read(name: str, columns: list[str], dates: tuple[str, ...] = ()) -> pd.DataFrame:
        return pd.read_csv(folder / f"olist_{name}_dataset.csv.gz", usecols=[*columns, *dates], parse_dates=list(dates))

    answers = read("order_reviews", ["order_id", "review_score"], ("review_creation_date", "review_answer_timestamp"))
    moments = ("order_delivered_customer_date", "order_estimated_delivery_date")
    orders = read("orders", ["order_id", "customer_id"], moments)
    people = read("customers", ["customer_id", "customer_unique_id"])
    lines = read("order_items", ["order_id", "product_id", "seller_id", "price", "freight_value"])
    products = read("products", ["product_id", "product_photos_qty", "product_weight_g"])
    by_order = lines.merge(products, on="product_id", how="left").groupby("order_id")
    baskets = by_order.agg(
        count_items=("price", "size"), price=("price", "sum"), freight=("freight_value", "sum"),
        count_sellers=("seller_id", "nunique"), weight=("product_weight_g", "max"),
        photos=("product_photos_qty", "mean"),
    )  # fmt: skip
    rows = answers.merge(orders, on="order_id").merge(people, on="customer_id").merge(baskets, on="order_id")
    answered = rows["review_answer_timestamp"].fillna(rows["review_creation_date"])
    arrived = rows["order_delivered_customer_date"]
    arrived = arrived.where(arrived <= answered)
    promised = rows["order_estimated_delivery_date"] + pd.Timedelta(days=1)
    rows["was_missing"] = arrived.isna()
    rows["was_late"] = (arrived.fillna(answered) >= promised).astype(bool)
    rows["freight_share"] = rows["freight"] / (rows["price"] + rows["freight"])
    rows["outcome"] = 100.0 * (rows["review_score"] <= 2)
    return rows.rename(columns={"customer_unique_id": "customer_key"})
