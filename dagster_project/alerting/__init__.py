"""Alerts: what is said, to whom, and that it is said once. Pure: no Dagster, no dbt, nothing of the warehouse."""
