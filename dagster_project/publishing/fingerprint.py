"""Which code made a version: one hash over everything of the project that can change a number."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

CODE = {
    "dagster_project": ("*.py", "standard/tables.yml", "standard/templates/*.j2"),
    "dbt_models": ("*.sql", "*.yml", "*.csv"),
    "expectations": ("*.py", "*.yml"),
}
SHOP_CODE = {"models": ("*.sql", "*.yml"), "seeds": ("*.csv",), "suites": ("*.yml",)}


def code_fingerprint(root: Path = PROJECT_ROOT, shop_folder: Path | None = None) -> str:
    """Sixteen hex digits over the names and the content of the project's code and of a shop's own, in name order."""
    digest = hashlib.sha256()
    shops = [(shop_folder, SHOP_CODE)] if shop_folder else []
    for base, folders in [(root, CODE), *shops]:
        for folder, patterns in folders.items():
            for path in sorted(path for pattern in patterns for path in (base / folder).rglob(pattern)):
                if "target" not in path.relative_to(base).parts:
                    digest.update(path.relative_to(base).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
