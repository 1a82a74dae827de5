"""Writes what a shop needs to run: settings, staging models, suites, and a page that says what was guessed and why.

Belongs here: the files of a shop's folder, and that nothing is overwritten. Does not belong here: SQL
(`staging_models.py`), guesses (`guessing.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.onboarding.declared_feeds import (
    PARENTS,
    identifiers_of,
    reached_by,
    unread,
)
from dagster_project.onboarding.guessing import Guess, guess_feeds
from dagster_project.onboarding.open_questions import cursor_of, doubts_of
from dagster_project.onboarding.origins import Origin
from dagster_project.onboarding.profiling import Profile, day_range, profile, scores_by_question
from dagster_project.onboarding.shop import FeedPlan, plan_feed
from dagster_project.onboarding.staging_models import described, environment, staging_models
from dagster_project.onboarding.vocabulary import has_codes
from dagster_project.sources.tables import SourceError

_WHOSE = {"customers": ("account", "customer_id"), "contacts": ("account", "customer_id"),
          "orders": ("guest_order", "order_id")}  # fmt: skip
"""By table: whose the identifiers in it are, and the column that names them."""
CURRENCY = re.compile("[A-Z]{3}")
SOURCE = re.compile("[a-z][a-z0-9_]{0,62}")
MISSING = {
    "contacts": "which accounts and guests are one person is unknown: each account is a customer, guests are none",
    "customers": "where accounts come from is unknown; customers are those who ordered",
    "products": "product kinds are unknown: the upsell ratio and everything by kind says `no_source`",
    "refunds": "net is gross: nothing is known of money given back",
    "exchange_rates": "orders in other currencies than that of reports are left out, with that reason",
    "feedback": "what customers say is unknown: NPS, CSAT and all that rests on answers says `no_source`",
    "support_contacts": "requests for help and complaints are unknown: service metrics say `no_source`",
    "point_events": "members' points are unknown: balances, liability and the programme's effect say `no_source`",
}
"""What follows where a feed was not found."""
NOT_GUESSED = (
    "list prices, survey invitations, mentions, tiers, referrals, campaigns, subscriptions, visits and costs are "
    "not guessed: what rests on them says `no_source`; `loyalty init --template` says how they are handed over"
)


@dataclass(frozen=True)
class Business:
    """What files do not tell of a shop: its name, when its day ends, its currency where orders name none."""

    name: str
    time_zone: str = "UTC"
    currency: str = "EUR"


@dataclass(frozen=True)
class Findings:
    """What was found of a shop.

    Attributes:
        origin: where.
        business: what a person said.
        source: name of the source.
        feeds: by name.
        unknown: tables that were taken for nothing, with the reason.
    """

    origin: Origin
    business: Business
    source: str
    feeds: Mapping[str, FeedPlan]
    unknown: Sequence[tuple[str, str]]

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Feeds that were not found, with what is therefore empty."""
        have = set(self.feeds) | ({"products", "refunds"} if "sales_lines" in self.feeds else set())
        if any(reached_by(self.feeds[name]) for name in ("customers", "orders") if name in self.feeds):
            have.add("contacts")
        return [(name, text) for name, text in MISSING.items() if name not in have]

    @property
    def doubts(self) -> list[str]:
        """What a person should look at."""
        return list(doubts_of(self.feeds, self.business.time_zone, self.business.currency))


@dataclass(frozen=True)
class Scaffold:
    """What `loyalty init` found and wrote."""

    folder: Path
    found: Findings
    written: tuple[Path, ...]


def scaffold(target: Path, origin: Origin, business: Business, source: str = "shop") -> Scaffold:
    """Look at a shop's tables and write what runs a night on them.

    Args:
        target: folder to write into; made where it is not there.
        origin: of the tables.
        business: of the shop.
        source: name of the source, in snake case.

    Raises:
        SourceError: the tables cannot be read or hold no orders, or the target has settings already.
    """
    if not SOURCE.fullmatch(source):
        raise SourceError(f"source name {source!r} is not snake case; expected one like 'online_shop'")
    if (target / "loyalty.yaml").exists():
        raise SourceError(f"{target} has a loyalty.yaml already; choose another folder, or remove it")
    found = look(origin, business, source)
    texts = {target / place: text for place, text in _texts(found).items()}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Scaffold(target, found, tuple(texts))


def look(origin: Origin, business: Business, source: str) -> Findings:
    """What an origin's tables were taken for.

    Raises:
        SourceError: they hold no orders.
    """
    profiles, unknown = [], list(origin.unreadable)
    for sample in origin.samples:
        try:
            profiles.append(profile(sample))
        except SourceError as fault:
            unknown.append((sample.name, str(fault)))
    guesses, others = guess_feeds(profiles)
    for orphan in [guess for guess in guesses if _is_orphan(guess, guesses)]:
        guesses.remove(orphan)
        unknown.append((orphan.profile.name, f"{orphan.feed.name} without {PARENTS[orphan.feed.name]}"))
    unknown += [(other.name, "no feed has columns like it; its rows are not read") for other in others]
    feeds = {guess.feed.name: plan_feed(guess, source, _answers(guess)) for guess in guesses}
    _require_orders(feeds, guesses, others, unknown, origin.place)
    return Findings(origin, business, source, feeds, unknown)


def _is_orphan(guess: Guess, guesses: Sequence[Guess]) -> bool:
    """Whether the rows belong to those of a feed that was not found."""
    parent = PARENTS.get(guess.feed.name)
    return parent is not None and parent not in {other.feed.name for other in guesses}


def _require_orders(
    feeds: Mapping[str, FeedPlan],
    guesses: Sequence[Guess],
    others: Sequence[Profile],
    unknown: Sequence[tuple[str, str]],
    place: str,
) -> None:
    """Refuse tables without which there is no purchase: neither flat lines nor orders with an amount."""
    orders = feeds.get("orders")
    if "sales_lines" in feeds or (orders and ("order_lines" in feeds or "total_amount" in orders.columns)):
        return
    columns = {other.name: "with " + ", ".join(column.name for column in other.columns[:12]) for other in others}
    found = [f"{guess.profile.name} as {guess.feed.name}" for guess in guesses]
    found += [f"{name} {columns.get(name, why)}" for name, why in unknown]
    lacking = "orders have neither lines nor a total" if orders else "no table looks like orders"
    raise SourceError(
        f"{lacking} in {place!r}: expected an order id, a customer id, a time, and an amount or lines; "
        f"found {'; '.join(found)}. Rename its columns, or write the mapping by hand: CONTRIBUTING.md says how"
    )


def _answers(guess: Guess) -> dict[str | None, dict[float, int]]:
    if guess.feed.name != "feedback":
        return {}
    return scores_by_question(guess.profile, guess.matches["score"].column.name, guess.column("question"))


def _texts(found: Findings) -> dict[Path, str]:
    """Every file of the shop's folder, by its place in it, and its text."""
    source, feeds = found.source, found.feeds
    templates, models = environment(), staging_models(feeds, found.business.currency)
    folder = Path("models", "staging", source)
    texts = {folder / f"{model.name}.sql": model.sql for model in models}
    texts |= {
        folder / f"{model.name}.yml": templates.get_template("model.yml.j2").render(described(model))
        for model in models
    }
    tables = [(feed.table, f"{feed.guess.feed.title}, from {feed.guess.profile.name}") for feed in feeds.values()]
    sources = templates.get_template("sources.yml.j2").render(source=source, tables=tables)
    texts[folder / f"_{source}__sources.yml"] = sources
    questions = [question for feed in feeds.values() for question in feed.questions]
    if questions:
        registry = templates.get_template("feedback_questions.csv.j2").render(source=source, questions=questions)
        texts[Path("seeds", "feedback_questions.csv")] = registry
    for feed in feeds.values():
        keys = [feed.columns[name] for name in feed.guess.feed.key[:1] or ("order_id",)]
        texts[Path("suites", f"raw__{source}__{feed.table}.yml")] = templates.get_template("suite.yml.j2").render(
            table=feed.table, keys=keys, is_needed=feed.table in ("orders", "order_lines", "sales_lines")
        )
    told = _told(found)
    texts[Path("loyalty.yaml")] = templates.get_template("loyalty.yaml.j2").render(told)
    texts[Path("README.md")] = templates.get_template("README.md.j2").render(told | {
        "feeds": [{**vars(feed), "unread": unread(feed)} for feed in feeds.values()],
        "unknown": found.unknown,
        "doubts": found.doubts,
        "missing": found.missing,
        "variable": found.origin.variable,
        "questions": questions,
        "not_guessed": NOT_GUESSED,
    })  # fmt: skip
    return texts


def _told(found: Findings) -> dict[str, Any]:
    orders = found.feeds.get("sales_lines") or found.feeds["orders"]
    when = orders.guess.matches["ordered_at"]
    first, last = day_range(orders.guess.profile, when.column.name, when.written_as or "iso")
    return {
        "name": found.business.name,
        "time_zone": found.business.time_zone,
        "currency": found.business.currency,
        "source": found.source,
        "first_night": first + dt.timedelta(days=30),
        "as_of": last,
        "connection": found.origin.settings,
        "tables": {feed.table: _table_settings(feed) for feed in found.feeds.values()},
    }


def _table_settings(feed: FeedPlan) -> dict[str, Any]:
    """What the settings say of a table: how it is found, what names and dates its rows, what must be there.

    Which of its columns hold codes is said, so that a new one is told at the door.
    """
    sample, columns = feed.guess.profile.sample, [column.sent for column in feed.columns.values()]
    told = dict(sample.described)
    if cursor := cursor_of(feed):
        told["cursor"] = cursor
    identifiers = identifiers_of(feed)
    told["columns"] = columns + [name for name in identifiers if name not in columns]
    if enumerations := _enumerations(feed):
        told["enumerations"] = enumerations
    if identifiers:
        told["identifiers"] = identifiers
    if identifiers and feed.table in _WHOSE:
        kind, role = _WHOSE[feed.table]
        told["identifies"] = {kind: feed.columns[role].sent}
    return told


def _enumerations(feed: FeedPlan) -> list[str]:
    """The columns of codes that models tell apart, few in the sample: of a new code they would know nothing."""
    matches, name = feed.guess.matches, feed.guess.feed.name
    return [
        column.sent
        for role, column in feed.columns.items()
        if has_codes(role, name) and role in matches and matches[role].column.codes
    ]


def checked_business(name: str, time_zone: str, currency: str) -> Business:
    """What a person says of the shop.

    Args:
        name: of the shop; underscores stand for blanks.
        time_zone: of its business day.
        currency: of its reports.

    Raises:
        SourceError: the time zone or the currency is none, or the name holds marks that no name has.
    """
    told = name if " " in name else name.replace("_", " ").title() or "Shop"
    if not CURRENCY.fullmatch(currency):
        raise SourceError(f"currency {currency!r} is none; expected three capital letters, like EUR")
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise SourceError(f"{time_zone!r} is no time zone of the IANA data base; write it as Europe/London") from None
    if not told.isprintable():
        raise SourceError(f"the name {told!r} holds marks that are not printed; give another with --name")
    return Business(told, time_zone, currency)
