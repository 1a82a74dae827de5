"""Jinja with brackets for marks, to write texts that are themselves full of dbt's braces.

Belongs here: that environment. Does not belong here: templates (`onboarding`, `standard`).
"""

from __future__ import annotations

from pathlib import Path

import jinja2


def bracket_environment(folder: Path) -> jinja2.Environment:
    """The templates of a folder; what a text may hold is for those who fill it in to see to."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        block_start_string="[%", block_end_string="%]", variable_start_string="[[", variable_end_string="]]",
        comment_start_string="[#", comment_end_string="#]",
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it writes SQL and YAML, not pages
    )  # fmt: skip
