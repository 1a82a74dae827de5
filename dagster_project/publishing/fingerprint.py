"""Which code made a version: one hash over everything of the project that can change a number."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dagster_project.settings import PROJECT_ROOT

CODE = {
    "dagster_project": ("*.py",),
    "dbt_models": ("*.sql", "*.yml", "*.csv"),
    "expectations": ("*.py", "*.yml"),
}


def code_fingerprint(root: Path = PROJECT_ROOT) -> str:
    """Sixteen hex digits over the names and the content of the project's code, in name order."""
    digest = hashlib.sha256()
    for folder, patterns in CODE.items():
        for path in sorted(path for pattern in patterns for path in (root / folder).rglob(pattern)):
            if "target" not in path.relative_to(root).parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
