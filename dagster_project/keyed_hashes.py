"""Keyed hashes: HMAC-SHA256 under the shop's secret, as DuckDB computes it.

Belongs here: padding of the key and the SQL of the hash. Does not belong here: which secret it is
(`warehouse.shop_key`), what is hashed (`sources/identifiers.py` at the door, the macro `keyed_hash` in the warehouse).
"""

from __future__ import annotations

import hashlib
from typing import Any

BLOCK_BYTES = 64  # of SHA-256
HASH_DIGITS = 32


def padded_keys(secret: str) -> tuple[bytes, bytes]:
    """The inner and the outer padded key of HMAC-SHA256 (RFC 2104, section 2), 64 bytes each."""
    key = secret.encode()
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    block = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def set_keys(connection: Any, secret: str) -> None:
    """Let a connection or cursor compute keyed hashes: the keys are variables, so no SQL text ever holds them."""
    inner, outer = padded_keys(secret)
    connection.execute("set variable hmac_inner = ?::blob", [inner])
    connection.execute("set variable hmac_outer = ?::blob", [outer])


def keyed_hash_sql(expression: str) -> str:
    """The SQL of the keyed hash of a text, 32 hex digits; equal to the dbt macro `keyed_hash`."""
    inner = f"unhex(sha256(getvariable('hmac_inner') || encode({expression})))"
    return f"substr(sha256(getvariable('hmac_outer') || {inner}), 1, {HASH_DIGITS})"
