"""Sources, pure: what a shop's systems send, kept as it was sent.

Belongs here: describing source tables (`tables.py`), landing them (`landing.py`), the shop of `simulated_shop/`. Does
not belong here: casting and renaming (staging models), Dagster (`assets/raw.py`), opening the warehouse. Import what
you need from the module that has it; importing this package loads nothing.
"""
