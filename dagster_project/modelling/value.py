"""What each customer is expected to buy and be worth: the champion of the back-test, applied to everybody.

Belongs here: from the champions to value, for customers in batches, and cohort averages where a shop has too little
history. Historic and predicted worth stand apart and are never added. Not here: how champions are chosen
(`selection.py`, `backtest.py`), what value rests on besides the orders (`value_settings.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dagster_project.modelling.backtest import Past, incumbent, level_errors, predicted
from dagster_project.modelling.candidates import BASELINES, Forecast, parts_of
from dagster_project.modelling.champion_errors import LEVELS, ChampionErrors, champion_errors
from dagster_project.modelling.cohorts import CohortMeans
from dagster_project.modelling.everybody import Everybody, fitted_on_all
from dagster_project.modelling.fits import Fits, fit_models, levelled, prior_parts, spend_levelled
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals import outcomes as intervals
from dagster_project.modelling.level.activity import Activity
from dagster_project.modelling.purchase_model import Status, check_as_of
from dagster_project.modelling.selection import Choice, Prediction, Trial, choose, keeps_level
from dagster_project.modelling.value_settings import REPORTED_DAYS, ValueSettings

VALUE_PREDICTIONS: tuple[Prediction, ...] = ("orders", "net")
COHORT_MEAN = "cohort_mean"
NO_COST = "no acquisition cost is set (definitions.acquisition_cost)"
NOT_WITHIN_LIFE = "the cost is not earned back within the lifetime"
NO_PREDICTION = "nothing is predicted"


@dataclass(frozen=True)
class ValueModel:
    """What a night believes of value; scores any number of customers, in batches of any size.

    Attributes:
        as_of: the day that horizons start after.
        settings: what value rests on.
        status: `fitted`, or why cohort averages stand in: `insufficient_data`, `did_not_converge`.
        status_reason: None when fitted.
        fits: everything fitted tonight.
        choices: the champions for orders and for net; none unless fitted.
        errors: how far the champions were off before.
    """

    as_of: dt.date
    settings: ValueSettings
    status: Status
    status_reason: str | None
    fits: Fits
    choices: Mapping[Prediction, Choice]
    errors: ChampionErrors = field(default_factory=ChampionErrors)

    @property
    def champion(self) -> str:
        """Who predicts orders."""
        return self.choices["orders"].champion if self.choices else COHORT_MEAN

    @property
    def net_champion(self) -> str:
        """Who predicts net."""
        return self.choices["net"].champion if self.choices else COHORT_MEAN

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """One row per customer: purchases, net and value expected, from the champions or from cohort averages.

        Args:
            features: rows of `customer_features` on the night; may be empty. A customer's values do not depend on who
                else is in the batch.

        Returns:
            customer_key, as_of_date, horizon_days, status, status_reason (null when fitted), model and net_model (the
            champions; `cohort_mean` unless fitted), count_repeat_occasions, days_first_to_last_order, days_observed,
            probability_alive (null unless fitted); within the horizon predicted_orders, predicted_net (not
            discounted), predicted_mean_order_net (the one over the other) and predicted_clv (margin, discounted);
            probability_no_order (by the first purchase model, in keeping with predicted_orders; null unless fitted);
            the central 50, 80 and 95 % of what may come, predicted_orders_low_<p> to _high_<p> (whole orders, both
            included) and predicted_net_low_<p> to _high_<p> (null unless fitted); predicted_orders_<n>d,
            predicted_net_<n>d, predicted_clv_<n>d and probability_no_order_<n>d for 30, 90 and 365 days;
            predicted_clv_residual, from the horizon to lifetime_days; historic_net, historic_margin;
            acquisition_cost, days_to_payback (from the night on; 0 where historic margin has paid, null with its
            payback_reason). Predictions are null only where cohort averages have no base at all: nobody observed for
            a day, or nobody with spend.

            Value sums [net(t_k) - net(t_k-1)] margin / (1 + rate)^(t_k / 365) over the steps t_k in actual days: 12
            equal ones within the horizon, years beyond it.

        Raises:
            ValueError: the features are of another night, or impossible.
        """
        check_as_of(features, self.as_of)
        steps = self.settings.steps_days()
        forecast = Forecast(self.fits, features, steps)
        orders, net = forecast.orders(self.champion), forecast.net(self.net_champion)
        if orders is None or net is None:
            raise ValueError(f"{self.champion} or {self.net_champion} is champion and was not fitted tonight")
        margin = np.cumsum(np.diff(net, axis=1, prepend=0.0) * self.settings.discounts(), axis=1)
        margin *= self.settings.margin_share
        at = {days: int(np.searchsorted(steps, days)) for days in (*REPORTED_DAYS, self.settings.horizon_days)}
        here = at[self.settings.horizon_days]
        rows = self._described(features, forecast)
        rows["predicted_orders"], rows["predicted_net"] = orders[:, here], net[:, here]
        with np.errstate(divide="ignore", invalid="ignore"):
            rows["predicted_mean_order_net"] = np.where(orders[:, here] > 0, net[:, here] / orders[:, here], np.nan)
        rows["predicted_clv"] = margin[:, here]
        no_order = forecast.no_order_in_keeping(self.champion)
        none = np.full(orders.shape, np.nan) if no_order is None or self.status != "fitted" else no_order
        rows["probability_no_order"] = none[:, here]
        self._add_intervals(rows)
        for days in REPORTED_DAYS:
            rows[f"probability_no_order_{days}d"] = none[:, at[days]]
            rows[f"predicted_orders_{days}d"] = orders[:, at[days]]
            rows[f"predicted_net_{days}d"] = net[:, at[days]]
            rows[f"predicted_clv_{days}d"] = margin[:, at[days]]
        rows["predicted_clv_residual"] = margin[:, -1] - margin[:, here]
        rows["historic_net"] = features["total_net"].to_numpy(dtype=np.float64)
        rows["historic_margin"] = rows["historic_net"] * self.settings.margin_share
        days_to, reason = self._payback(rows["historic_margin"].to_numpy(), margin, steps)
        rows["acquisition_cost"] = np.full(len(rows), self.settings.acquisition_cost, dtype=np.float64)
        rows["days_to_payback"], rows["payback_reason"] = days_to, pd.Series(reason, dtype="str")
        return rows

    def to_dict(self) -> dict[str, Any]:
        """What was believed and why, JSON-able: a few numbers, not the customers."""
        return {
            "as_of": self.as_of.isoformat(),
            "status": self.status,
            "status_reason": self.status_reason,
            "settings": asdict(self.settings),
            "choices": {prediction: choice.to_dict() for prediction, choice in self.choices.items()},
            "fits": self.fits.to_dict(),
            "intervals": self.errors.intervals.to_dict(),
            "log_errors": {"orders": self.errors.orders_error.log_error, "spend": self.errors.spend_error.log_error},
        }

    def _add_intervals(self, rows: pd.DataFrame) -> None:
        """The interval columns, null unless fitted."""
        names = [(what, f"{level * 100:.0f}", level) for what in ("orders", "net") for level in LEVELS]
        if self.status != "fitted":
            for what, percent, _ in names:
                rows[f"predicted_{what}_low_{percent}"] = rows[f"predicted_{what}_high_{percent}"] = np.nan
            return
        columns = ("predicted_orders", "probability_no_order", "predicted_net")
        forecast = intervals.Forecast.of(*(rows[name].to_numpy(dtype=np.float64) for name in columns))
        ends = {"orders": self.errors.intervals.orders, "net": self.errors.intervals.net}
        for what, percent, level in names:
            low, high = ends[what](forecast, level)
            rows[f"predicted_{what}_low_{percent}"], rows[f"predicted_{what}_high_{percent}"] = low, high

    def _described(self, features: pd.DataFrame, forecast: Forecast) -> pd.DataFrame:
        """The columns that say whom a row is about and who predicts."""
        count = len(features)
        names = {
            "status": self.status,
            "status_reason": self.status_reason,
            "model": self.champion,
            "net_model": self.net_champion,
        }
        history = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
        alive = forecast.alive() if self.status == "fitted" else np.full(count, np.nan)
        return pd.DataFrame(
            {
                "customer_key": features["customer_key"].astype("str").reset_index(drop=True),
                "as_of_date": np.full(count, np.datetime64(self.as_of, "s")),
                "horizon_days": np.full(count, self.settings.horizon_days, dtype=np.int64),
                **{column: pd.Series([name] * count, dtype="str") for column, name in names.items()},
                **{column: features[column].to_numpy(dtype=np.int64) for column in history},
                "probability_alive": alive,
            }
        )

    def _payback(
        self, historic: FloatArray, margin: FloatArray, steps: FloatArray
    ) -> tuple[FloatArray, list[str | None]]:
        """Days until the cost of the customer is earned, between steps in proportion; or NaN and why."""
        cost = self.settings.acquisition_cost
        if cost is None:
            return np.full(historic.size, np.nan), [NO_COST] * historic.size
        open_cost = cost - historic
        before = np.concatenate((np.zeros((historic.size, 1)), margin[:, :-1]), axis=1)
        first = np.argmax(margin >= open_cost[:, None], axis=1)
        rows = np.arange(historic.size)
        start = np.concatenate(([0.0], steps[:-1]))[first]
        gained = margin[rows, first] - before[rows, first]
        share = np.where(gained > 0, (open_cost - before[rows, first]) / np.where(gained > 0, gained, 1.0), 0.0)
        days = np.where(open_cost <= 0, 0.0, start + share * (steps[first] - start))
        is_known = ~np.isnan(margin[:, -1]) | (open_cost <= 0)
        is_earned = (open_cost <= 0) | (margin[:, -1] >= open_cost)
        reason = np.select([~is_known, ~is_earned], [NO_PREDICTION, NOT_WITHIN_LIFE], "")
        return np.where(is_known & is_earned, days, np.nan), [text or None for text in reason.tolist()]


def fit_value(
    features: pd.DataFrame,
    as_of: dt.date,
    settings: ValueSettings | None = None,
    everybody: Everybody | None = None,
    activity: Activity | None = None,
    past: Past | None = None,
    trials: Mapping[Prediction, Sequence[Trial]] | None = None,
) -> ValueModel:
    """What tonight believes of value: every model fitted, and the champions of the back-test among them.

    Args:
        features: rows of `customer_features` on the night, all customers or a sample; may be empty.
        as_of: the night.
        settings: what value rests on.
        everybody: of the night; needed where the features are a sample.
        activity: from `repeat_activity` on the night; none means no correction for season and level.
        past: of the night's plan, for the learners; none means that nothing is learned.
        trials: of `past`; none means that the incumbents stay.

    Raises:
        ValueError: the features are of another night, or impossible.
    """
    settings = settings or ValueSettings()
    check_as_of(features, as_of)
    lesson_days = past.plan.horizon_days if past else settings.horizon_days
    refusal = settings.gate.refusal(features if everybody is None else everybody.histories)
    if refusal is not None:
        fits = Fits(lesson_days, {}, {}, CohortMeans.of(features))
        return ValueModel(as_of, settings, "insufficient_data", refusal, fits, {})
    fits = fit_models(features, lesson_days, settings.purchase_model)
    tried = trials if trials and settings.is_chosen_by_backtest else {}
    if activity is not None:
        fits = levelled(fits, activity, features)
    if everybody is not None:
        fits = fitted_on_all(fits, prior_parts(fits), everybody)
    if activity is not None:
        if past is not None:
            fits = spend_levelled(fits, partial(past.spend_activity, as_of))
        fits = fits if keeps_level(tried.get("orders", ())) else fits.out_of_season()
    if past is not None and settings.is_chosen_by_backtest:
        fits = past.taught(fits, features, as_of)
    stays = {prediction: incumbent(prediction, fits) for prediction in VALUE_PREDICTIONS}
    if None in stays.values():
        return ValueModel(as_of, settings, "did_not_converge", "; ".join(fits.refusals.values()), fits, {})
    choices: dict[Prediction, Choice] = {}
    forecast = Forecast(fits, features.iloc[:1], (settings.horizon_days,))
    for prediction in VALUE_PREDICTIONS:
        able = [name for name in predicted(prediction, forecast) if name != "zero"]
        choices[prediction] = choose(
            prediction, tried.get(prediction, ()), stays[prediction] or "", able, as_they_stand=BASELINES
        )
    champions = {prediction: choice.champion for prediction, choice in choices.items()}
    if everybody is not None:
        others = parts_of(fits, champions["orders"], champions["net"]) - set(prior_parts(fits))
        fits = fitted_on_all(fits, sorted(others), everybody)
    errors = champion_errors(tried, champions, level_errors(fits, settings.horizon_days))
    return ValueModel(as_of, settings, "fitted", None, fits, choices, errors)
