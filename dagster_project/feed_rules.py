"""Rules that the settings of a feed make, beside those that the suites write down.

What belongs here: from a table's settings to a rule of a suite. What does not: evaluating it (`expectations.runner`),
and rules that hold for every shop (`expectations/suites`).
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster_project.settings import Settings
from expectations.suite import Rule

NO_FAULT = ("a later row stands", "deleted at the source")  # how staging ends the reason of a row that was good once


def quarantine_rules(settings: Settings) -> Iterator[Rule]:
    """One rule a feed on `quality.quarantined_rows`: refused rows are at most the share that its settings allow.

    A row that a later version replaced, or that the source deleted, is in the quarantine too, but is no fault and does
    not count. The base is what
    the staging models saw of the feed (all of it where they refused nothing), and its unreadable records.
    """
    for source, described in settings.sources.items():
        for table, chosen in described.tables.items():
            feed, limit = f"{source}__{table}", chosen.maximum_quarantined_share
            good_once = " or ".join(f"ends_with(reasons, '{reason}')" for reason in NO_FAULT)
            refused = f"raw_table = '{feed}' and not ({good_once})"
            yield Rule(
                name=f"{feed}_is_mostly_accepted",
                why=(
                    f"More than {100 * limit:g} % of feed {source}.{table} is refused, so its numbers would be too "
                    "small. `loyalty quarantine list` says why; correct the file or the staging model, then `loyalty "
                    "quarantine replay`. If this much is to be expected, raise the feed's maximum_quarantined_share."
                ),
                severity="critical",
                owner="loyalty",
                rows_that_break=(
                    f"select model, file, row_number from {{batch}} where {refused} and "
                    f"(select count(distinct (file, row_number)) from {{batch}} where {refused}) > {limit!r} * ("
                    "coalesce((select max(total_from) from quality.reconciliation where layer_from = 'raw' and measure "
                    f"= 'rows' and entity in (select model from {{batch}} where raw_table = '{feed}')), "
                    f"(select count(*) from scratch.raw.{feed})) "
                    f"+ (select count(*) from {{batch}} where model = 'raw.{feed}'))"
                ),
            )
