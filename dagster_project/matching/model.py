"""The model that weighs agreements: Fellegi and Sunter (1969), A Theory for Record Linkage, as Splink estimates it.

How often two different people agree in a field is estimated from random pairs of customers, how often one person's
records do by expectation maximisation over pairs that agree in two other fields. How many pairs are one person's is
what the rules have linked, which is known to be most of them.

Belongs here: all that knows Splink. Does not belong here: which rows are compared (`people.py`), what is published
(`suggestions.py`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import duckdb

from dagster_project.matching.fields import FIELDS, OTHER, ComparedField
from dagster_project.matching.people import BLOCKS

SEED = 20
RANDOM_PAIRS = 1e6
TRAINING_PAIRS = 1e6
LINKED_BY_RULES = 0.9
"""Share of one person's pairs that the rules have linked; at 0.8 all weights together would gain a sixth of a bit."""
MINIMUM_PAIRS = 20
"""Fewer pairs tell no shares."""
_NOT_MET = 1e-6
_ONE_OF_EACH_CUSTOMER = "from people qualify record_key = min(record_key) over (partition by customer_key)"
TRAINED_ON = (
    ("full_name", "birthday"),
    ("mailbox", "birthday"),
    ("phone", "birthday"),
    ("mailbox", "full_name"),
    ("phone", "full_name"),
)
"""Columns that pairs agree in from which the other fields are estimated: two, for a household shares one."""


class MatchingError(RuntimeError):
    """No merges can be suggested; the message says what was found and what to do."""


@dataclass(frozen=True)
class Share:
    """How often an agreement is met among one person's pairs, and among those of different people."""

    field: str
    agreement: str
    same_person: float
    other_people: float
    is_same_person_estimated: bool = False
    is_other_people_estimated: bool = False

    def told(self, kind: str, share: float | None) -> Share:
        """The same with an estimated share; as it was where no pair told one, which Splink writes as nearly none."""
        is_same_person = kind == "m_probability"
        if share is None or share <= _NOT_MET or share == (self.same_person if is_same_person else self.other_people):
            return self
        if is_same_person:
            return replace(self, same_person=share, is_same_person_estimated=True)
        return replace(self, other_people=share, is_other_people_estimated=True)

    @property
    def weight(self) -> float:
        """Log2 of how much likelier the agreement is among one person's pairs."""
        return math.log2(self.same_person / self.other_people)


def require_splink() -> None:
    """Import Splink.

    Raises:
        MatchingError: it is not installed.
    """
    try:
        import splink  # noqa: F401
    except ImportError:
        raise MatchingError(
            "definitions.identity.suggests_merges is on, which needs the package splink, and it is not installed; "
            "install loyalty-warehouse[matching], or turn the setting off"
        ) from None
    # what it could not estimate is published, and a night's log is no place for its banners
    logging.getLogger("splink").setLevel(logging.ERROR)


class PairModel:
    """Estimates from the table `people` of an engine, and scores its pairs.

    Args:
        private: the engine.
        has_originals: whether `people` has clear forms.
    """

    def __init__(self, private: duckdb.DuckDBPyConnection, *, has_originals: bool) -> None:
        from splink import DuckDBAPI

        self._private, self._has_originals = private, has_originals
        self._api = DuckDBAPI(private)
        self.fields = [field for field in FIELDS if self._is_told(field)]
        self.shares = {field.name: _assumed(field, has_originals=has_originals) for field in self.fields}

    def train(self) -> bool:
        """Estimate all shares; says whether there were pairs enough for it."""
        from splink import block_on

        told = {name for field in self.fields for name in field.columns}
        rules = [
            columns for columns in TRAINED_ON if told.issuperset(columns) and self._pairs(columns) >= MINIMUM_PAIRS
        ]
        if not rules or not self._pairs(("customer_key",)):
            return False
        self._private.execute(f"create or replace table strangers as {_ONE_OF_EACH_CUSTOMER}")
        strangers = self._linker("strangers")
        strangers.training.estimate_u_using_random_sampling(
            max_pairs=RANDOM_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1
        )
        self._learn(strangers, "u_probability")
        people = self._linker("people")
        for columns in rules:
            people.training.estimate_parameters_using_expectation_maximisation(
                block_on(*columns), max_pairs=TRAINING_PAIRS, record_sample_proportion=1.0
            )
        self._learn(people, "m_probability")
        return True

    def score(self, threshold: float) -> str:
        """Score the pairs of all blocks that are two customers'; gives the name of the table of the likely ones.

        Args:
            threshold: the least probability that two records are one person's.
        """
        return str(self._linker("people").inference.predict(threshold_match_probability=threshold).physical_name)

    @cached_property
    def prior(self) -> float:
        """Probability that two records drawn at random are one person's."""
        records = self._count("select count(*) from people")
        return min(0.5, self._pairs(("customer_key",)) / LINKED_BY_RULES / max(1, records * (records - 1) / 2))

    def _linker(self, table: str) -> Any:
        from splink import Linker, SettingsCreator
        from splink.blocking_rule_library import CustomRule

        settings = SettingsCreator(
            link_type="dedupe_only",
            unique_id_column_name="record_key",
            probability_two_random_records_match=self.prior,
            comparisons=[
                _comparison(field, self.shares[field.name], has_originals=self._has_originals) for field in self.fields
            ],
            blocking_rules_to_generate_predictions=[
                CustomRule(f"l.{block} = r.{block} and l.customer_key <> r.customer_key") for block in BLOCKS
            ],
            retain_intermediate_calculation_columns=True,
            linker_uid="suggested",
        )
        return Linker(self._api.register(table), settings, log_level=None)

    def _learn(self, linker: Any, kind: Literal["m_probability", "u_probability"]) -> None:
        """Take over the shares that a linker has estimated; those that no pair told stay as they are assumed."""
        for comparison in linker.misc.save_model_to_json()["comparisons"]:
            told = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
            shares = self.shares[comparison["output_column_name"]]
            self.shares[comparison["output_column_name"]] = _summing_to_one(
                [share.told(kind, level.get(kind)) for share, level in zip(shares, told, strict=True)]
            )

    def _is_told(self, field: ComparedField) -> bool:
        return any(self._count(f"select count({name}) from people") for name in field.columns)

    def _pairs(self, columns: Collection[str]) -> int:
        """How many pairs of rows agree in all of some columns."""
        together = ", ".join(columns)
        told = " and ".join(f"{name} is not null" for name in columns)
        return self._count(
            "select coalesce(sum(sharers * (sharers - 1) // 2), 0) from "
            f"(select count(*) as sharers from people where {told} group by {together})"
        )

    def _count(self, sql: str) -> int:
        [(count,)] = self._private.execute(sql).fetchall()
        return int(count)


def _assumed(field: ComparedField, *, has_originals: bool) -> list[Share]:
    """The shares from which estimation begins, `OTHER` last."""
    told = [
        Share(field.name, one.words, one.same_person, one.other_people)
        for one in field.possible(has_originals=has_originals)
    ]
    rest = Share(field.name, OTHER, 1 - sum(one.same_person for one in told), 1 - sum(one.other_people for one in told))
    return [*told, rest]


def _summing_to_one(shares: list[Share]) -> list[Share]:
    same, other = (sum(getattr(one, side) for one in shares) for side in ("same_person", "other_people"))
    return [replace(one, same_person=one.same_person / same, other_people=one.other_people / other) for one in shares]


def _comparison(field: ComparedField, shares: list[Share], *, has_originals: bool) -> Any:
    from splink import comparison_level_library as levels
    from splink.comparison_library import CustomComparison

    seen: list[Any] = [levels.CustomLevel(one.condition) for one in field.possible(has_originals=has_originals)]
    if field.is_weighed_by_rareness:
        seen[0] = levels.ExactMatchLevel(field.columns[0], term_frequency_adjustments=True)
    unknown = levels.CustomLevel(field.unknown).configure(is_null_level=True)
    return CustomComparison(
        output_column_name=field.name, comparison_levels=[unknown, *seen, levels.ElseLevel()]
    ).configure(
        m_probabilities=[one.same_person for one in shares], u_probabilities=[one.other_people for one in shares]
    )
