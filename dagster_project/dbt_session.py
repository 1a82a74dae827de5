"""What every dbt connection to DuckDB knows besides its files: the padded keys of the customer hashes.

dbt-duckdb loads this module as a plugin (profiles.yml). The keys travel as session variables, so that neither compiled
SQL nor a log ever shows them. Which secret it is, is decided in `warehouse`.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

SECRET_VARIABLE = "LOYALTY_SESSION_KEY"  # noqa: S105 - the name of a variable
BLOCK_BYTES = 64  # of SHA-256


def padded_keys(secret: str) -> tuple[bytes, bytes]:
    """The inner and the outer padded key of HMAC-SHA256 (RFC 2104, section 2), 64 bytes each."""
    key = secret.encode()
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    block = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


class Plugin(BasePlugin):
    """Sets the two variables on each cursor: DuckDB's variables belong to one cursor alone."""

    def configure_cursor(self, cursor: Any) -> None:
        """Set `hmac_inner` and `hmac_outer`."""
        inner, outer = padded_keys(os.environ.get(SECRET_VARIABLE, ""))
        cursor.execute("set variable hmac_inner = ?::blob", [inner])
        cursor.execute("set variable hmac_outer = ?::blob", [outer])
