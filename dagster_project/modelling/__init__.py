"""Models of what customers will do: pure functions and classes on frames and arrays, without Dagster and dbt."""
