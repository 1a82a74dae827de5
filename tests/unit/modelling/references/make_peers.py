"""Makes peers.json: what lifetimes and pymc-marketing find on the CDNOW sample and on simulated buyers.

    python -m venv peers && peers/bin/pip install lifetimes==0.11.3 pymc-marketing==0.19.2
    LOYALTY_DATA=... peers/bin/python make_peers.py > peers.json

It needs nothing of this repository. Fits are without penalties and with flat priors, so all are maximum likelihood.
Times are in weeks. `shops` holds the histories themselves (of CDNOW only what the fits say of them: the data stay where
they are), `fits` parameters per library, model and shop, and `predictions` of 39 weeks per library and model at the
parameters that it found for the simulated shop: for every tenth of its customers, and for a few histories besides.
"""

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HORIZON = 39.0
HISTORIES = [(0, 0.0, 5.0), (0, 0.0, 38.86), (1, 2.0, 39.0), (2, 30.43, 38.86), (7, 35.0, 38.0), (25, 36.0, 36.5)]


def cdnow(folder):
    """The sample's first 39 weeks: one row per customer, purchases of one day merged, in weeks."""
    names = ["master_id", "customer", "date", "items", "amount"]
    rows = pd.read_csv(folder / "cdnow" / "CDNOW_sample.txt", sep=r"\s+", header=None, names=names)
    rows["date"] = pd.to_datetime(rows["date"].astype(str))
    end = pd.Timestamp("1997-09-30")
    days = rows[rows["date"] <= end].groupby(["customer", "date"])["amount"].sum().reset_index()
    first = days.groupby("customer")["date"].transform("min")
    repeats = days[(days["date"] > first) & (days["amount"] > 0)].groupby("customer")["amount"]
    dates = days.groupby("customer")["date"].agg(["min", "max", "count"])
    shop = pd.DataFrame(
        {
            "x": dates["count"] - 1,
            "t_x": (dates["max"] - dates["min"]).dt.days / 7,
            "age": (end - dates["min"]).dt.days / 7,
        }
    )
    shop["count_spends"] = repeats.count().reindex(shop.index).fillna(0).astype(int)
    shop["mean_spend"] = repeats.mean().reindex(shop.index).fillna(0.0)
    return shop


def simulated(seed):
    """1,500 MBG/NBD buyers with Gamma-Gamma spend, rounded so that the JSON holds them exactly."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(1_500):
        age = float(rng.integers(20, 60))
        rate, drop_out, nu = rng.gamma(0.8, 1 / 6.0), rng.beta(0.7, 2.0), rng.gamma(4.0, 1 / 15.0)
        x, t_x, clock = 0, 0.0, 0.0
        while rng.random() >= drop_out:
            clock += rng.exponential(1 / rate)
            if clock > age:
                break
            x, t_x = x + 1, clock
        mean = rng.gamma(6.0 * x, 1 / nu) / x if x else 0.0
        rows.append((x, max(round(t_x, 3), 0.001) if x else 0.0, age, x, round(mean, 4)))
    return pd.DataFrame(rows, columns=["x", "t_x", "age", "count_spends", "mean_spend"])


def tightest(fitter, *columns):
    """The fit to the tightest tolerance that the library's optimiser admits to have reached."""
    from lifetimes.utils import ConvergenceError

    for tolerance in (1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6):
        try:
            return fitter(penalizer_coef=0.0).fit(*columns, tol=tolerance)
        except ConvergenceError:
            continue
    raise SystemExit(f"{fitter.__name__} did not converge at any tolerance")


def of_lifetimes(shop):
    """Parameters by model."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

    found = {}
    for name, fitter in (
        ("bg_nbd", BetaGeoFitter),
        ("mbg_nbd", ModifiedBetaGeoFitter),
        ("pareto_nbd", ParetoNBDFitter),
    ):
        fit = tightest(fitter, shop["x"], shop["t_x"], shop["age"])
        found[name] = dict(fit.params_)
    spent = shop[shop["count_spends"] > 0]
    fit = tightest(GammaGammaFitter, spent["count_spends"], spent["mean_spend"])
    p, q, gamma = (float(fit.params_[name]) for name in ("p", "q", "v"))
    found["gamma_gamma"] = {"p": p, "q": q, "gamma": gamma}
    return found


def of_pymc_marketing(shop):
    """Parameters by model, at the mode with flat priors."""
    from pymc_extras.prior import Prior
    from pymc_marketing.clv import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel

    def mode(model, names, frame, prefix=()):
        config = {name: Prior("HalfFlat") for name in names}
        fit = model(data=frame, model_config=config)
        fit.fit(method="map", progressbar=False, tol=1e-14)
        return {name: float(fit.fit_result[name].to_numpy().squeeze()) for name in names}

    frame = pd.DataFrame(
        {
            "customer_id": range(len(shop)),
            "frequency": shop["x"].values,
            "recency": shop["t_x"].values,
            "T": shop["age"].values,
        }
    )
    beta_names = ["a", "b", "alpha", "r"]
    found = {
        "bg_nbd": mode(BetaGeoModel, beta_names, frame),
        "mbg_nbd": mode(ModifiedBetaGeoModel, beta_names, frame),
        "pareto_nbd": mode(ParetoNBDModel, ["r", "alpha", "s", "beta"], frame),
    }
    spent = shop[shop["count_spends"] > 0]
    spends = pd.DataFrame(
        {
            "customer_id": range(len(spent)),
            "frequency": spent["count_spends"].values,
            "monetary_value": spent["mean_spend"].values,
        }
    )
    spend = mode(GammaGammaModel, ["p", "q", "v"], spends)
    found["gamma_gamma"] = {"p": spend["p"], "q": spend["q"], "gamma": spend["v"]}
    return found


def predictions_of_lifetimes(fits, histories):
    """P(alive) and expected purchases at given parameters, which no optimiser has touched since."""
    from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

    x, t_x, age = histories
    fitters = {"bg_nbd": BetaGeoFitter, "mbg_nbd": ModifiedBetaGeoFitter, "pareto_nbd": ParetoNBDFitter}
    found = {}
    for name, fitter in fitters.items():
        fit = fitter(penalizer_coef=0.0)
        fit.params_ = pd.Series(fits[name])
        fit.predict = None
        found[name] = {
            "expected_purchases": fit.conditional_expected_number_of_purchases_up_to_time(HORIZON, x, t_x, age),
            "probability_alive": fit.conditional_probability_alive(x, t_x, age),
        }
    return rounded(found)


def predictions_of_pymc_marketing(fits, histories):
    """The same, and P(no purchase) of the models that have it: at a posterior of one point."""
    import arviz
    from pymc_marketing.clv import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel

    x, t_x, age = histories
    frame = pd.DataFrame({"customer_id": range(x.size), "frequency": x, "recency": t_x, "T": age})
    models = {"bg_nbd": BetaGeoModel, "mbg_nbd": ModifiedBetaGeoModel, "pareto_nbd": ParetoNBDModel}
    found = {}
    for name, model in models.items():
        fit = model(data=frame)
        fit.build_model()
        fit.idata = arviz.from_dict(posterior={parameter: np.array([[at]]) for parameter, at in fits[name].items()})
        found[name] = {
            "expected_purchases": fit.expected_purchases(frame, future_t=HORIZON),
            "probability_alive": fit.expected_probability_alive(frame),
        }
        if name == "pareto_nbd":
            found[name]["probability_no_purchase"] = fit.expected_purchase_probability(
                frame, n_purchases=0, future_t=HORIZON
            )
        if name == "bg_nbd":
            found[name]["probability_no_purchase"] = fit.expected_probability_no_purchase(HORIZON, frame)
    return rounded(found)


def rounded(found):
    """Ten digits of everything: six more than are compared."""
    return {
        name: {
            what: [float(f"{number:.10g}") for number in np.asarray(said).squeeze().tolist()]
            for what, said in predictions.items()
        }
        for name, predictions in found.items()
    }


def main():
    """Print the JSON."""
    warnings.filterwarnings("ignore")
    with contextlib.redirect_stdout(sys.stderr):  # lifetimes prints what its optimiser says
        found = references()
    json.dump(found, sys.stdout)


def references():
    """All that the JSON holds."""
    shops = {"cdnow": cdnow(Path(os.environ["LOYALTY_DATA"])), "simulated": simulated(2026)}
    fits = {
        library: {name: find(shop) for name, shop in shops.items()}
        for library, find in (("lifetimes", of_lifetimes), ("pymc_marketing", of_pymc_marketing))
    }
    asked = HISTORIES + list(shops["simulated"][["x", "t_x", "age"]].iloc[::10].itertuples(index=False, name=None))
    histories = tuple(np.array(column, dtype=float) for column in zip(*asked, strict=True))
    return {
        "made_with": {"lifetimes": "0.11.3", "pymc_marketing": "0.19.2"},
        "horizon": HORIZON,
        "histories": asked,
        "simulated": {column: shops["simulated"][column].tolist() for column in shops["simulated"]},
        "fits": fits,
        "predictions": {
            "lifetimes": predictions_of_lifetimes(fits["lifetimes"]["simulated"], histories),
            "pymc_marketing": predictions_of_pymc_marketing(fits["pymc_marketing"]["simulated"], histories),
        },
    }


if __name__ == "__main__":
    main()
