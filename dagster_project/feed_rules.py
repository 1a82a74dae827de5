"""Rules that the settings of a feed make, beside those that the suites write down.

What belongs here: from a table's settings, the columns that it names among them, to a rule of a suite. What does not:
evaluating it (`expectations.runner`), and rules that hold for every shop (`expectations/suites`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dagster_project.settings import Settings
from dagster_project.source_settings import Feed
from dagster_project.sql_text import quoted_identifier
from dagster_project.staged_feeds import StagedFeed, staged_feeds
from expectations.suite import Rule, Suite

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
                    "small."
                ),
                cure=(
                    "`loyalty quarantine list` says why; correct the file or the staging model, then `loyalty "
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


def with_rhythms(suites: Iterable[Suite], settings: Settings) -> list[Suite]:
    """The suites of staging models with what each feed's own rhythm lets expect; a model without a suite gets one."""
    rules = {
        staged.model: rhythm_rules(staged, settings.business.time_zone)
        for staged in staged_feeds(settings)
        if staged.happened_at is not None
    }
    told = [replace(suite, rules=(*suite.rules, *rules.pop(suite.table, ()))) for suite in suites]
    return [*told, *(Suite("staging", model, its) for model, its in rules.items())]


def rhythm_rules(staged: StagedFeed, time_zone: str) -> tuple[Rule, ...]:
    """What holds of the days of any feed that has a time: about as many rows as usual, and no unusual silence.

    A feed that may bring nothing for some days, by its `stale_after_hours`, is not missed before they are over.
    """
    lag_days = math.ceil((staged.feed.stale_after_hours or 0) / 24)
    days = {"column": staged.happened_at, "time_zone": time_zone}
    return (
        Rule(
            "rows_of_each_day_are_as_many_as_usual",
            "A day that is missing or came twice moves every rate of this feed; look for its file before the numbers "
            "are used. A sale, a strike or a closed day looks alike: then nothing is to be done.",
            "warning", "loyalty", "daily_rows_to_be_usual", arguments={**days, "may_lag_days": lag_days},
        ),
        Rule(
            "rows_have_not_fallen_silent",
            "A feed that stopped looks like customers who stopped; see when its last delivery came, and ask its source "
            "before reading any rate that rests on it.",
            "warning", "loyalty", "last_row_to_be_recent", arguments={**days, "minimum_days": max(3, lag_days)},
        ),
    )  # fmt: skip


def _of_most_rows(name: str, why: str, condition: str) -> Rule:
    arguments = {"condition": condition, "at_most": MOST_DAMAGED}
    return Rule(name, why, "warning", "loyalty", expect="no_rows_where", arguments=arguments)
