"""`loyalty init`: looks at a shop's files, guesses what is what, and writes what the shop needs to run.

`profiling` says what a file holds, `guessing` which feed it is and which column is what, `scaffold` writes the
settings, the staging models, their suites and a page that says what was guessed, why, and what is missing.
"""
