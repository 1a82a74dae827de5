"""The standard tables: rows that already come under our names need no SQL of the shop's own.

`tables.yml` says what the tables are, `tables` reads it, `models` writes the staging models of those that a shop sends.
"""
