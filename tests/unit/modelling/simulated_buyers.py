"""Buyers made by playing the process that a model describes, purchase by purchase, with none of its formulas."""

from dataclasses import astuple, dataclass

import numpy as np

from dagster_project.modelling.btyd import (
    BetaGeo,
    CondensedBetaGeo,
    ModifiedBetaGeo,
    ModifiedCondensedBetaGeo,
    ParetoNBD,
    PurchaseModel,
)

KNOWN = {
    model.name: model
    for model in (
        BetaGeo.from_params(0.8, 6.0, 0.7, 2.0),
        ModifiedBetaGeo.from_params(0.8, 6.0, 0.7, 2.0),
        ParetoNBD.from_params(0.8, 6.0, 0.7, 12.0),
        CondensedBetaGeo.from_params(2, 0.9, 3.0, 0.7, 2.0),
        ModifiedCondensedBetaGeo.from_params(3, 0.9, 2.0, 0.7, 2.0),
    )
}
"""One model of each kind whose customers buy about once a month when T is in weeks."""


@dataclass(frozen=True)
class Buyers:
    """Histories up to T, what followed within the horizon, and the sum of the log gaps until T."""

    x: np.ndarray
    t_x: np.ndarray
    age: np.ndarray
    future: np.ndarray
    total_log_gap: float

    @property
    def histories(self):
        return self.x, self.t_x, self.age


def played(model: PurchaseModel, ages, horizon: float, seed: int) -> Buyers:
    """Buyers of a model with known parameters.

    Args:
        model: whose process to play.
        ages: T of each, in the model's unit of time.
        horizon: how far to play on after T.
        seed: of the chance.
    """
    rng = np.random.default_rng(seed)
    age = np.asarray(ages, dtype=float)
    count = age.size
    *stages, r, alpha, first, second = astuple(model.params_)
    rate = np.maximum(rng.gamma(r, 1 / alpha, count), 1e-300)
    leaves_at_purchases = not isinstance(model, ParetoNBD)
    drop_out = rng.beta(first, second, count) if leaves_at_purchases else np.zeros(count)
    until_death = np.full(count, np.inf)
    if not leaves_at_purchases:
        until_death = rng.exponential(1, count) / np.maximum(rng.gamma(first, 1 / second, count), 1e-300)
    x, t_x, future, clock, total_log_gap = *np.zeros((4, count)), 0.0
    at_first = isinstance(model, ModifiedBetaGeo | ModifiedCondensedBetaGeo)
    going = np.flatnonzero(rng.random(count) >= drop_out * at_first)
    while going.size:
        gap = rng.gamma(*stages or [1], 1, going.size) / rate[going]
        clock[going] += gap
        buys = clock[going] <= np.minimum(age + horizon, until_death)[going]
        going, gap = going[buys], gap[buys]
        is_seen = clock[going] <= age[going]
        total_log_gap += float(np.log(gap[is_seen]).sum())
        seen = going[is_seen]
        x[seen], t_x[seen] = x[seen] + 1, clock[seen]
        future[going[~is_seen]] += 1
        going = going[rng.random(going.size) >= drop_out[going]]
    return Buyers(x, t_x, age, future, total_log_gap)
