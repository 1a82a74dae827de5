"""The drills: what goes wrong on purpose, and what must hold afterwards; `make drills` runs their long form.

What several drills share lies beside this file: `night_process.py` (nights to be hurt), `drill_report.py` (the tables
of docs/reliability.md, which the long form writes).
"""
