"""Which orders and customers of a shop are read: one value for all that reads occasions.

Belongs here: the choice, its check, and how SQL asks it. Not here: the SQL (`features.py`), and what a night reads from
(`value_night.Reading`).
"""

from __future__ import annotations

from dataclasses import dataclass

_DIGITS = 8
"""Of a key's MD5, in hexadecimal, that say whether a customer is read."""


@dataclass(frozen=True)
class Scope:
    """What is read.

    Attributes:
        counts_zero_value_orders: as in `purchase_history`.
        customer_share: share of the customers, above 0 to 1; by a hash of the key, so the same customers every night.
    """

    counts_zero_value_orders: bool = False
    customer_share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not 0 < self.customer_share <= 1:
            raise ValueError(f"customer_share is {self.customer_share}; expected above 0 to 1")

    def parameters(self) -> dict[str, object]:
        """`$counts_zero_value_orders` and `$last_md5`, the highest hash of a customer that is read."""
        most = 16**_DIGITS
        last_md5 = f"{min(round(self.customer_share * most), most - 1):0{_DIGITS}x}" + "f" * (32 - _DIGITS)
        return {"counts_zero_value_orders": self.counts_zero_value_orders, "last_md5": last_md5}


EVERYTHING = Scope()
"""All customers, and orders that cost something."""
