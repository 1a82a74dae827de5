"""Which feed a file is, and which of its columns is what; with the reasons, and how sure they make us.

Belongs here: scores from names and from values, the best assignment, the sentences that explain it. Does not belong
here: looking at files (`profiling.py`), the words (`vocabulary.py`), writing anything (`scaffold.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.onboarding.profiling import Column, Profile
from dagster_project.onboarding.readings import READINGS
from dagster_project.onboarding.vocabulary import Feed, Role, code_of, likeness, vocabulary, words

LEAST_LIKENESS = 0.5
"""Of a name, to be thought of at all; enough for a column that a feed cannot do without."""
LEAST_OPTIONAL_LIKENESS = 0.6
SURE_FROM = 0.8
LEAST_FEED_SCORE = 0.5
LARGEST_SCALE = 10
_WAYS_TO_REACH = frozenset({"email", "phone", "loyalty_card", "social_handle"})
_ANY_TEXT = frozenset({"id", "text", "code"})


@dataclass(frozen=True)
class Match:
    """A column that was taken for one of ours.

    Attributes:
        role: ours.
        column: of the file.
        written_as: name of the reading; None for texts.
        sureness: 0 to 1.
        why: a clause.
    """

    role: Role
    column: Column
    written_as: str | None
    sureness: float
    why: str


@dataclass(frozen=True)
class Guess:
    """What a file was taken for.

    Attributes:
        profile: of the file.
        feed: ours.
        matches: by the name of the role.
        sureness: 0 to 1, the least of the required columns' and the file's.
        why: a clause.
    """

    profile: Profile
    feed: Feed
    matches: Mapping[str, Match]
    sureness: float
    why: str

    def column(self, role: str) -> str | None:
        """The file's name for one of our columns."""
        return self.matches[role].column.name if role in self.matches else None


def guess_feeds(profiles: Iterable[Profile]) -> tuple[list[Guess], list[Profile]]:
    """The feeds that files were taken for, one file a feed, and the files that were taken for none.

    Where two files could be the same feed, the likelier has it; the other is tried as its next likeliest feed.
    """
    profiles = list(profiles)
    options = sorted(
        (guess for profile in profiles for guess in guesses_of(profile)),
        key=lambda guess: (-_rank(guess), guess.profile.name, guess.feed.name),
    )
    taken: dict[str, Guess] = {}
    for option in options:
        if option.profile.name not in taken and not _is_settled(option.feed.name, taken.values()):
            taken[option.profile.name] = option
    return (
        [taken[profile.name] for profile in profiles if profile.name in taken],
        [profile for profile in profiles if profile.name not in taken],
    )


def _is_settled(feed: str, taken: Iterable[Guess]) -> bool:
    """Whether a feed is there already: flat lines are orders and order lines at once."""
    sales = {"sales_lines": {"orders", "order_lines"}, "orders": {"sales_lines"}, "order_lines": {"sales_lines"}}
    return any(guess.feed.name == feed or guess.feed.name in sales.get(feed, set()) for guess in taken)


def _rank(guess: Guess) -> float:
    """How likely a guess is: names of required columns and of the file first, then how much of the feed is there."""
    return guess.sureness + 0.25 * len(guess.matches) / len(guess.feed.roles)


def guesses_of(profile: Profile) -> list[Guess]:
    """Every feed that a file could be."""
    found = (_guess(profile, feed) for feed in vocabulary().values())
    return [guess for guess in found if guess is not None and guess.sureness >= LEAST_FEED_SCORE]


def _guess(profile: Profile, feed: Feed) -> Guess | None:
    matches = match_columns(profile, feed)
    required = [role.name for role in feed.roles.values() if role.is_required]
    if any(name not in matches for name in required) or not _has_its_grain(feed, matches):
        return None
    by_file = likeness(profile.sample.subject, feed.names)
    by_columns = sum(matches[name].sureness for name in required) / len(required)
    said = [f"its name is like {feed.name}" if by_file >= LEAST_LIKENESS else "its name does not tell"]
    said.append(f"it has {', '.join(matches[name].column.name for name in required)}")
    return Guess(profile, feed, matches, round(0.3 * by_file + 0.7 * by_columns, 2), " and ".join(said))


def _has_its_grain(feed: Feed, matches: Mapping[str, Match]) -> bool:
    """Whether a row of the file is what a row of the feed is."""
    if feed.name == "sales_lines":
        return not matches["order_id"].column.is_unique
    if feed.name == "order_lines":
        return not {"unit_price", "line_amount"}.isdisjoint(matches)
    if feed.name == "feedback":
        return not {"customer_id", "order_id"}.isdisjoint(matches) and not is_off_every_scale(matches["score"].column)
    if not _says_what_it_is(feed, matches):
        return False
    if feed.name in ("support_events", "exchange_rates"):
        return True
    return all(matches[name].column.is_unique for name in feed.key)


def _says_what_it_is(feed: Feed, matches: Mapping[str, Match]) -> bool:
    """Whether contacts hold a way to reach somebody, and most codes of events are events that the feed knows."""
    if feed.name == "contacts":
        return not _WAYS_TO_REACH.isdisjoint(matches)
    if "event_kind" not in matches:
        return True
    column = matches["event_kind"].column
    known = sum(code_of("event_kind", code, feed.name) is not None for code in column.codes)
    return 2 * known > len(column.codes)


def is_off_every_scale(column: Column) -> bool:
    """Whether a column of numbers cannot be answers on a scale."""
    return column.low is None or column.high is None or column.low < 0 or column.high > LARGEST_SCALE


def match_columns(profile: Profile, feed: Feed) -> dict[str, Match]:
    """The columns of a file that look like columns of a feed: each is taken once, the surest first."""
    context = frozenset().union(*feed.names) | words(profile.sample.subject)
    options = [
        match
        for role in feed.roles.values()
        for column in profile.columns
        if (match := _match(role, column, context, role.name in feed.key[:1])) is not None
    ]
    places = {column.name: place for place, column in enumerate(profile.columns)}
    options.sort(key=lambda match: (-match.sureness, not match.role.is_required, places[match.column.name]))
    chosen: dict[str, Match] = {}
    for match in options:
        if match.role.name not in chosen and all(other.column is not match.column for other in chosen.values()):
            chosen[match.role.name] = match
    return {role: chosen[role] for role in feed.roles if role in chosen}


def _match(role: Role, column: Column, context: frozenset[str], is_key: bool) -> Match | None:
    by_name = likeness(column.name, role.names, context)
    if by_name < (LEAST_LIKENESS if role.is_required else LEAST_OPTIONAL_LIKENESS) or column.filled == 0:
        return None
    if role.kind == "text" and "number" in column.written_as:
        return None
    written_as = _reading(role, column)
    if written_as is None and role.kind not in _ANY_TEXT:
        return None
    if role.kind == "id" and is_key and not column.is_unique:
        by_name *= 0.9
    said = [f"the name says so ({by_name:.0%})" if by_name < 1 else "the name says so"]
    if written_as is not None:
        said.append(f"its values are written as {written_as.replace('_', ' ')}")
    elif is_key:
        said.append("it is different on each row" if column.is_unique else "it repeats")
    return Match(role, column, written_as, round(by_name, 2), ", ".join(said))


def _reading(role: Role, column: Column) -> str | None:
    """The first way to write the kind of value that fits nearly all of a column."""
    fitting = [way.name for way in READINGS if role.kind in way.kinds and way.name in column.written_as]
    return fitting[0] if fitting else None


def doubts(guess: Guess) -> Sequence[str]:
    """What a person should look at: columns that were hard to tell, dates that can be read two ways."""
    found = [
        f"`{match.column.name}` was taken for `{role}` with {match.sureness:.0%} sureness"
        for role, match in guess.matches.items()
        if match.sureness < SURE_FROM
    ]
    both = {"day_first_slashes", "month_first_slashes"}
    found += [
        f"`{match.column.name}` reads day first or month first alike; day first was taken"
        for match in guess.matches.values()
        if match.written_as in both and both <= set(match.column.written_as)
    ]
    return found
