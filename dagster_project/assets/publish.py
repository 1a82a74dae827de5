"""The publish layer: the audit of a night's build, and the version that readers get if it passes."""

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import asdict

import dagster as dg

from dagster_project.assets.metadata import OWNERS
from dagster_project.checks import CHECKED_LAYERS, suites_of, write_data_docs
from dagster_project.explaining.nights import fingerprint_of, version_compared_with
from dagster_project.partitions import as_of_of, nightly
from dagster_project.publishing.audit import Audit, audit
from dagster_project.publishing.versions import Manifest, next_version, publish, withdraw_versions
from dagster_project.settings import Settings
from dagster_project.sources.forgotten import last_forgotten_at
from dagster_project.waivers import traces
from dagster_project.warehouse import Warehouse

VERSION_KEY = dg.AssetKey(["publish", "published_version"])


def published_version_asset(settings: Settings, audited: Iterable[dg.AssetKey]) -> dg.AssetsDefinition:
    """The last step that can say no; everything public is upstream of it."""

    @dg.asset(
        key=VERSION_KEY,
        deps=list(audited),
        **nightly(settings),
        group_name="publish",
        owners=OWNERS,
        kinds={"duckdb"},
        description=(
            "The version that readers see: an immutable file with its manifest, swapped in atomically after every "
            "check ran and passed and all totals agree. When the audit says no, readers keep the version before."
        ),
    )
    def published_version(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        docs = write_data_docs(settings, warehouse, f"The night of {as_of}")
        with warehouse.connect() as con:
            found = audit(con, expected_checks(settings))
            compared_with = version_compared_with(con)
        warehouse.settle()
        published = settings.home / "published"
        manifest = manifest_of(found, settings, as_of, next_version(published, as_of.isoformat()), compared_with)
        folder = publish(
            warehouse.path,
            published,
            manifest,
            settings.publishing.keep_versions,
            with_parquet=settings.publishing.parquet_copies,
        )
        warehouse.end(manifest.version)
        forgotten_at = last_forgotten_at(settings.home)
        withdrawn = withdraw_versions(published, forgotten_at) if forgotten_at else []
        return dg.MaterializeResult(
            metadata={
                "version": manifest.version,
                "path": dg.MetadataValue.path(folder),
                "data_docs": dg.MetadataValue.path(docs),
                "checks": found.count_checks,
                "warnings": len(found.warnings),
                "waived": list(found.waived),
                "reconciled_totals": found.count_reconciled,
                "withdrawn_versions": withdrawn,
                "seconds": time.perf_counter() - began,
            }
        )

    return published_version


def expected_checks(settings: Settings) -> set[tuple[str, str, str]]:
    """Every rule of every suite that applies to this shop."""
    return {
        (suite.layer, suite.table, rule.name)
        for layer in CHECKED_LAYERS
        for suite in suites_of(layer, settings)
        for rule in suite.rules
    }


def manifest_of(
    found: Audit, settings: Settings, as_of: dt.date, version: str, compared_with: str | None = None
) -> Manifest:
    """What the version says of itself."""
    return Manifest(
        version=version,
        as_of=as_of.isoformat(),
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        business=settings.business.name,
        tables={name: asdict(facts) for name, facts in found.tables.items()},
        checks={
            "passed": found.count_checks - len(found.warnings) - len(found.waived),
            "warnings": list(found.warnings),
            "waived": list(found.waived),
            "waivers": traces(settings, as_of),
            "reconciled_totals": found.count_reconciled,
        },
        fingerprint=fingerprint_of(settings),
        definitions={
            **settings.definitions.model_dump(mode="json"),
            "time_zone": settings.business.time_zone,
            "currency": settings.business.currency,
            **({"known_at": settings.known_at.isoformat()} if settings.known_at else {}),
        },
        compared_with=compared_with,
    )
