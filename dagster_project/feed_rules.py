"""Rules that the settings of a feed make, beside those that the suites write down.

What belongs here: from a table's settings, the columns that it names among them, to a rule of a suite. What does not:
evaluating it (`expectations.runner`), and rules that hold for every shop (`expectations/suites`).
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster_project.settings import Settings
from dagster_project.source_settings import Feed
from dagster_project.sql_text import quoted_identifier
from expectations.suite import Rule

NO_FAULT = ("a later row stands", "deleted at the source")  # how staging ends the reason of a row that was good once

WORDS_FOR_NOTHING = ("null", "(null)", "nan", "#n/a", "undefined")  # not `none`, which is an answer in some feeds
DAMAGED = r"[ÃÂ][\x{80}-\x{BF}]|\x{FFFD}"
"""UTF-8 that was read as Latin-1 on its way, and what stands where a letter could not be read at all."""
MOST_DAMAGED = 0.005
"""Share of the rows. Of the 1.7 million of the three real shops of `examples/` none is."""


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


def column_rules(feed: Feed) -> tuple[Rule, ...]:
    """What holds of the fields of any feed: they say something or are empty, and their letters came whole."""
    columns = sorted(feed.named_columns() - set(feed.optional_columns))
    if not columns:
        return ()
    texts = [f"cast({quoted_identifier(column)} as varchar)" for column in columns]
    words = ", ".join(f"'{word}'" for word in WORDS_FOR_NOTHING)
    return (
        _of_most_rows(
            "fields_are_empty_rather_than_named_nothing",
            "A program wrote its word for nothing, such as NULL, where nothing belongs: it would be counted as a code, "
            "a name or an id. Correct the export, or map the word in the staging model.",
            f"list_has_any([{', '.join(f'lower(trim({text}))' for text in texts)}], [{words}])",
        ),
        _of_most_rows(
            "letters_came_whole",
            "Letters were read in another encoding on their way, so codes, names and keys no longer equal themselves. "
            "Give the feed's encoding, or have the source export UTF-8.",
            f"regexp_matches(concat_ws(' ', {', '.join(texts)}), '{DAMAGED}')",
        ),
    )


def _of_most_rows(name: str, why: str, condition: str) -> Rule:
    arguments = {"condition": condition, "at_most": MOST_DAMAGED}
    return Rule(name, why, "warning", "loyalty", expect="no_rows_where", arguments=arguments)
