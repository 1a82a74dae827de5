"""Evenings that need not be predicted twice: one Parquet file each, named by everything that it was made from.

Belongs here: the names and the files. What is lost, damaged or of other inputs is made again, and is the same; a night
leaves no file behind that it did not use, so what was erased from the shop is erased here by the night after.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from dagster_project.modelling.ledger.evenings import LedgerSettings

_ORDERS = """
-- Grain: one month; what an order or a refund says of a purchase, in any order of the rows
select
    last_day({date})::date as month_end, bit_xor(hash({columns})) as digest, count(*) as count_rows
from {table}
where {condition}
group by all
order by all
"""
_COUNTED = """
    customer_key is not null and order_date is not null and (
        coalesce(exclusion_reason, 'fully_refunded') = 'fully_refunded'
        or ($counts_zero_value_orders and exclusion_reason = 'zero_value')
    )
"""
_QUERIES = (
    _ORDERS.format(
        date="order_date",
        columns="order_key, customer_key, order_date, gross_amount, exclusion_reason is not distinct from 'zero_value'",
        table="marts.fct_orders",
        condition=_COUNTED,
    ),
    _ORDERS.format(
        date="refund_date",
        columns="refund_key, order_key, refund_date, refund_amount",
        table="marts.fct_refunds",
        condition="order_key is not null and refund_date is not null and $counts_zero_value_orders is not null",
    ),
)

_CUSTOMERS = f"""
-- Grain: one month of first orders
with buyers as (
    select customer_key, min(order_date) as first_date
    from marts.fct_orders
    where {_COUNTED}
    group by customer_key
)
select last_day(first_date)::date as month_end, min(first_date) as first_date, count(*) as count_customers
from buyers
group by all
order by all
"""


@dataclass(frozen=True)
class Known:
    """What was known at the end of each month.

    Attributes:
        digests: month end to the digests of the rows of that month, by query.
        first_order: day of the first order that may count; None without any.
        first_orders: month end to the number of customers whose first order that may count was in the month.
    """

    digests: Mapping[dt.date, tuple[tuple[int, int], ...]]
    first_order: dt.date | None
    first_orders: Mapping[dt.date, int]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, *, counts_zero_value_orders: bool) -> Known:
        """What the marts say, one scan of each.

        Args:
            connection: as in `purchase_history`.
            counts_zero_value_orders: as in `purchase_history`.
        """
        given = {"counts_zero_value_orders": counts_zero_value_orders}
        found: dict[dt.date, list[tuple[int, int]]] = {}
        for place, query in enumerate(_QUERIES):
            for month_end, digest, count in connection.execute(query, given).fetchall():
                found.setdefault(month_end, [(0, 0)] * len(_QUERIES))[place] = (digest, count)
        months = connection.execute(_CUSTOMERS, given).fetchall()
        return cls(
            {month: tuple(parts) for month, parts in sorted(found.items())},
            min((first for _, first, _ in months), default=None),
            {month: count for month, _, count in months},
        )

    def count_customers(self, evening: dt.date) -> int:
        """Customers whose first order that may count was by an evening.

        Args:
            evening: a month end.
        """
        return sum(count for month, count in self.first_orders.items() if month <= evening)

    def name(self, evening: dt.date, made_by: str) -> str:
        """The name of what was made of all that was known on an evening.

        Args:
            evening: a month end.
            made_by: says settings and code.
        """
        digest = hashlib.sha256(made_by.encode())
        for month, parts in self.digests.items():
            if month <= evening:
                digest.update(f"{month}{parts}".encode())
        return f"{evening}_{digest.hexdigest()[:24]}"


def made_by(settings: LedgerSettings, counts_zero_value_orders: bool, code: str) -> str:
    """What an evening's predictions rest on besides the rows.

    Args:
        settings: of the ledger; how many evenings it has changes none of them.
        counts_zero_value_orders: as in `purchase_history`.
        code: fingerprint of the code.
    """
    said = asdict(settings) | {"count_evenings": None, "zero_value": counts_zero_value_orders, "code": code}
    return json.dumps(said | {"engine": duckdb.__version__}, sort_keys=True)


@dataclass
class Kept:
    """Files of one folder; without a folder nothing is kept.

    Attributes:
        folder: made when absent.
        count_read: evenings that were there already.
    """

    folder: Path | None = None
    count_read: int = 0
    _used: set[str] = field(default_factory=set)

    def read(self, name: str) -> pd.DataFrame | None:
        """What is kept under a name; None where there is nothing, or nothing readable."""
        self._used.add(name)
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            rows = pd.read_parquet(path)
        except (OSError, pa.ArrowException):
            return None
        self.count_read += 1
        return rows

    def write(self, name: str, rows: pd.DataFrame) -> None:
        """Keep rows under a name; a reader sees all of them or none."""
        self._used.add(name)
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".unfinished")
            rows.to_parquet(temporary, index=False)
            temporary.replace(path)

    def drop_unused(self) -> None:
        """Remove what this night neither read nor wrote."""
        if self.folder is not None and self.folder.exists():
            for path in sorted(self.folder.iterdir()):
                if path.suffix in {".parquet", ".unfinished"} and path.stem not in self._used:
                    path.unlink()

    def _path(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}.parquet"
