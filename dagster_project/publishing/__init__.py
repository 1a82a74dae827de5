"""Audit, versions, manifest, rollback. Pure: no Dagster, no dbt."""
