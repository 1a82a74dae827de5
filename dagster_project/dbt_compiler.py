"""What dbt makes of models under the definitions of any night, without running them; the home's own files stay.

Running the project is in `dbt_runner`; what is done with the SQL is the caller's.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dagster_project.dbt_runner import _PARSED, DEFINITION_VARIABLES, DbtRunner, Parsed
from dagster_project.settings import Settings

PARTIAL_PARSE = "partial_parse.msgpack"
"""What dbt keeps of a parse, in its target folder."""


class DbtCompiler(DbtRunner):
    """The dbt project under one shop's settings, compiled in a folder of its own: several may be at work at once.

    Args:
        settings: of the shop.
        folder: an empty one; dbt writes there.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings)
        self._adopt(self.target)
        self.target = folder

    def compiled_models(self, names: Collection[str], as_of: dt.date, definitions: Mapping[str, Any]) -> dict[str, str]:
        """The SQL that dbt makes of models; no database is opened.

        Args:
            names: of the models.
            as_of: the business day that they describe.
            definitions: settings under `definitions`; those that are left out are the shop's.

        Returns:
            Each model's id in the parsed project -> its SQL.

        Raises:
            DbtFailed: the project cannot be parsed, or a model does not compile.
        """
        chosen = {name: definitions[name] for name in DEFINITION_VARIABLES if name in definitions}
        arguments = ["compile", "--target", "lint", "--select", *names, "--exclude", "resource_type:test"]
        results = self._results([*arguments, "--vars", json.dumps(self._variables(as_of) | chosen)], on_line=None)
        return {result.node.unique_id: str(result.node.compiled_code) for result in results}

    def _adopt(self, target: Path) -> None:
        """Take over what a folder holds parsed, if that is this project under these settings.

        dbt would parse the project anew in another folder, as the folder's name is part of the project's settings.
        """
        wanted = self._parsed_from()
        if wanted in _PARSED or not self._is_kept(wanted):
            return
        from dbt.contracts.graph.manifest import Manifest

        manifest = Manifest.from_msgpack((target / PARTIAL_PARSE).read_bytes())
        manifest.build_flat_graph()  # which macros read
        _PARSED[wanted] = Parsed(manifest, self._document())
