"""The drills: what goes wrong on purpose, and what must hold afterwards; `make drills` runs their long form.

What several drills share lies beside this file: `night_process.py` (nights to be hurt). The tables of
docs/reliability.md are written by `drill_report.py`, in the folder above.
"""
