"""What every dbt connection to DuckDB knows besides its files: the padded keys of the customer hashes.

dbt-duckdb loads this module as a plugin (profiles.yml). The keys travel as session variables, so that neither compiled
SQL nor a log ever shows them. Which secret it is, is decided in `warehouse`.
"""

from __future__ import annotations

import os
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from dagster_project.keyed_hashes import set_keys

SECRET_VARIABLE = "LOYALTY_SESSION_KEY"  # noqa: S105 - the name of a variable


class Plugin(BasePlugin):
    """Sets the two variables on each cursor: DuckDB's variables belong to one cursor alone."""

    def configure_cursor(self, cursor: Any) -> None:
        """Set `hmac_inner` and `hmac_outer`."""
        set_keys(cursor, os.environ.get(SECRET_VARIABLE, ""))
