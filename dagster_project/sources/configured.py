"""The source tables that a shop's settings name, ready to be landed.

Belongs here: from settings to `SourceTable`, and making the built-in shop's files where a source is simulated.
Does not belong here: reading files (`landing.py`), what a setting may be (`dagster_project.settings`).
"""

from __future__ import annotations

from pathlib import Path

from dagster_project.settings import Settings, SimulatedShop, Source, TableSettings, expand_folder
from dagster_project.sources.identifiers import Spelling
from dagster_project.sources.protection import Protection
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate
from dagster_project.sources.tables import FixedField, SourceTable


def source_tables(settings: Settings) -> list[SourceTable]:
    """Every table of every source, in the order of the settings.

    Raises:
        SettingsError: a folder names a variable that is not set.
        SourceError: a table's description contradicts itself.
    """
    return [
        SourceTable(
            source=source_name,
            table=table_name,
            folder=source_folder(source_name, source, settings.home),
            files=table.files,
            format=table.format,
            columns=table.columns,
            delimiter=table.delimiter,
            quote=table.quote,
            encoding=table.encoding,
            is_optional=table.is_optional,
            when_changed=table.when_changed,
            enumerations=table.enumerations,
            fields=tuple(FixedField(field.name, field.start, field.width) for field in table.fields),
            protection=_protection(settings, table),
        )
        for source_name, source in settings.sources.items()
        for table_name, table in source.tables.items()
    ]


def _protection(settings: Settings, table: TableSettings) -> Protection | None:
    """What is done with a table's direct identifiers; nothing where it names none."""
    if not table.identifiers:
        return None
    privacy = settings.privacy
    return Protection(
        home=settings.home,
        identifiers=tuple(table.identifiers.items()),
        identifies=next(iter(table.identifies.items()), None),
        spelling=Spelling(
            calling_code=privacy.calling_code,
            trunk_prefix=privacy.trunk_prefix,
            dotless_domains=privacy.dotless_domains,
            has_tags=privacy.has_tags,
        ),
        keeps_originals=privacy.originals == "kept",
    )


def source_folder(name: str, source: Source, home: Path) -> Path:
    """Where a source's files lie; a simulated source has its own folder in `LOYALTY_HOME`."""
    return home / "simulated" / name if source.connector == "simulated" else expand_folder(source.folder, home)


def prepare_simulated(settings: Settings) -> list[str]:
    """Make the files of every simulated source that has none yet; gives the names of the simulated sources."""
    names = [name for name, source in settings.sources.items() if source.connector == "simulated"]
    for name in names:
        shop = settings.sources[name].simulated or SimulatedShop()
        plan = ShopPlan(customers=shop.customers, days=shop.days, last_day=shop.last_day, seed=shop.seed)
        simulate(plan, source_folder(name, settings.sources[name], settings.home), Dirt(shop.dirt))
    return names
