"""Which feeds a shop stages, and what says when their rows took place.

What belongs here: reading that from the staging models, where a feed's mapping lives and nowhere else. What does not:
the rules that are made of it (`feed_rules`), models of entities, of which several feeds may make one (`entity_suites`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dagster_project.settings import Settings
from dagster_project.shop_project import model_folders
from dagster_project.source_settings import Feed
from dagster_project.standard.models import standard_models

_RAW = re.compile(r"""'judges':\s*'(\w+)'|source\('raw',\s*'(\w+)'\)""")
"""What a model says that it judges, which stands above the tables that it reads, of which it is the only one else."""
_JUDGED = re.compile(r"judged_rows\([^{}]*?(?:\bhappened_at='(\w+)'[^{}]*?)?\) \}\}")


@dataclass(frozen=True)
class StagedFeed:
    """A raw feed and the staging model that accounts for its rows.

    Attributes:
        model: name of the staging model.
        feed: its settings.
        happened_at: the model's column with the instant, in UTC, at which a row's event took place; None where rows
            are of no moment, as those of a catalogue.
    """

    model: str
    feed: Feed
    happened_at: str | None


def staged_feeds(settings: Settings) -> Iterator[StagedFeed]:
    """The feeds of a shop's sources that are staged, by source and model in name order."""
    for source, described in sorted(settings.sources.items()):
        for model, sql in sorted(_models(settings, source).items()):
            raw, judged = _RAW.search(sql), _JUDGED.search(sql)
            if raw is None or judged is None:
                continue
            table = (raw[1] or raw[2]).removeprefix(f"{source}__")
            if table in described.tables:
                yield StagedFeed(model, described.tables[table], judged[1])


def _models(settings: Settings, source: str) -> dict[str, str]:
    """Name → text of a source's staging models."""
    if (described := settings.sources[source]).is_standard:
        files = standard_models(source, described.tables)
        return {name.removesuffix(".sql"): text for name, text in files.items() if name.endswith(".sql")}
    folders = [folder / "staging" / source for folder in model_folders(settings)]
    paths = [path for folder in folders for path in folder.glob(f"stg_{source}__*.sql")]
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}
