"""Buy till you die: when do customers buy again, seen only through their purchases.

Belongs here: the purchase models and nothing of a shop. `PURCHASE_MODELS` names them all. How histories come from
orders: `purchase_history.py`; when a shop has enough of them: `purchase_model.py`; what a purchase is worth:
`spend.py`; customers who say when they leave: `contractual.py`.
"""

from __future__ import annotations

from dagster_project.modelling.btyd.beta_geometric import BetaGeo, BetaGeoParams, ModifiedBetaGeo
from dagster_project.modelling.btyd.condensed import CondensedBetaGeo, CondensedParams, ModifiedCondensedBetaGeo
from dagster_project.modelling.btyd.model import Predictions, PurchaseModel
from dagster_project.modelling.btyd.pareto import ParetoNBD, ParetoParams

PURCHASE_MODELS: dict[str, type[PurchaseModel]] = {
    model.name: model for model in (ModifiedBetaGeo, BetaGeo, ParetoNBD, ModifiedCondensedBetaGeo, CondensedBetaGeo)
}

__all__ = [
    "PURCHASE_MODELS",
    "BetaGeo",
    "BetaGeoParams",
    "CondensedBetaGeo",
    "CondensedParams",
    "ModifiedBetaGeo",
    "ModifiedCondensedBetaGeo",
    "ParetoNBD",
    "ParetoParams",
    "Predictions",
    "PurchaseModel",
]
