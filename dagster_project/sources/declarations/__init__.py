"""Declarations of services: how each is asked for its rows, as data. The YAML files beside this one are ready for use.

A declaration has `client` (dlt's own: authentication and pages; `$token` stands for the secret) and `resources`, each
with the `key` of its rows, the `cursor` that grows when a row changes, and dlt's `endpoint`. `{name}` in a path stands
for one of the source's `values`.

Belongs here: reading and checking declarations. Does not belong here: asking (`rest_connector.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dagster_project.sources.tables import SourceError

SHIPPED = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.yaml")))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Since(_Strict):
    """How a service is asked for what changed: the parameter, and how it writes the cursor."""

    param: str
    written_as: Literal["iso", "unix_seconds", "number"] = "iso"


class Resource(_Strict):
    """One kind of row that a service has.

    Attributes:
        key: fields that name a row.
        cursor: field that grows when a row changes; None asks for everything each time.
        cursor_kind: whether it is a time or a number.
        overlap: how far behind the furthest landed cursor to begin: seconds of a time, units of a number.
        since: how to ask for what changed; None asks for everything.
        is_ordered: whether rows come in the order of the cursor, so that what came before a fault may be kept.
        endpoint: dlt's own: path, params, data_selector, paginator.
    """

    key: tuple[str, ...] = Field(min_length=1)
    cursor: str | None = None
    cursor_kind: Literal["time", "number"] = "time"
    overlap: float = Field(default=3_600, ge=0)
    since: Since | None = None
    is_ordered: bool = False
    endpoint: dict[str, Any]

    @model_validator(mode="after")
    def _whole(self) -> Resource:
        missing = {"path", "data_selector"} - self.endpoint.keys()
        if missing:
            raise ValueError(f"'endpoint' needs {' and '.join(sorted(missing))}")
        if (self.since or self.is_ordered) and not self.cursor:
            raise ValueError("'since' and 'is_ordered' need a 'cursor'")
        return self


class Declaration(_Strict):
    """How a service is asked."""

    client: dict[str, Any]
    resources: dict[str, Resource]


def read_declaration(source: str, name: str, values: Mapping[str, str]) -> Declaration:
    """A shipped declaration by its name, or one from a YAML file, with the source's values filled into paths.

    Raises:
        SourceError: there is none, it is not of the form, or a path names a value that the settings lack.
    """
    path = Path(__file__).with_name(f"{name}.yaml") if name in SHIPPED else Path(name)
    try:
        found = Declaration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError:
        raise SourceError(
            f"source '{source}': there is no declaration {name!r}; give a YAML file or one of {', '.join(SHIPPED)}"
        ) from None
    except (yaml.YAMLError, ValidationError) as fault:
        raise SourceError(
            f"source '{source}': declaration {name!r} is not usable: {' '.join(str(fault).split())}"
        ) from None
    return found.model_copy(
        update={"resources": {key: _filled(source, one, values) for key, one in found.resources.items()}}
    )


def _filled(source: str, resource: Resource, values: Mapping[str, str]) -> Resource:
    try:
        path = resource.endpoint["path"].format_map(values)
    except KeyError as fault:
        raise SourceError(
            f"source '{source}': path {resource.endpoint['path']!r} needs the value {fault}; add it to 'values'"
        ) from None
    return resource.model_copy(update={"endpoint": resource.endpoint | {"path": path}})
