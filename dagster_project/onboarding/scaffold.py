"""Writes what a shop needs to run: settings, staging models, suites, and a page that says what was guessed and why.

Belongs here: the files of a shop's folder, and that nothing is overwritten. Does not belong here: SQL
(`staging_models.py`), guesses (`guessing.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.onboarding.guessing import Guess, doubts, guess_feeds
from dagster_project.onboarding.profiling import Profile, day_range, profile_folder, scores_by_question
from dagster_project.onboarding.shop import HOSTILE, FeedPlan, plan_feed
from dagster_project.onboarding.staging_models import described, environment, staging_models
from dagster_project.sources.tables import SourceError

CURRENCY = re.compile("[A-Z]{3}")
SOURCE = re.compile("[a-z][a-z0-9_]{0,62}")
MISSING = {
    "customers": "where accounts come from is unknown; customers are those who ordered",
    "products": "product kinds are unknown: the upsell ratio and everything by kind says `no_source`",
    "refunds": "net is gross: nothing is known of money given back",
    "feedback": "what customers say is unknown: NPS, CSAT and all that rests on answers says `no_source`",
}
"""What follows where a feed was not found."""


@dataclass(frozen=True)
class Business:
    """What files do not tell of a shop: its name, when its day ends, its currency where orders name none."""

    name: str
    time_zone: str = "UTC"
    currency: str = "EUR"


@dataclass(frozen=True)
class Scaffold:
    """What `loyalty init` found and wrote."""

    folder: Path
    feeds: tuple[FeedPlan, ...]
    unknown: tuple[str, ...]
    doubts: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]
    written: tuple[Path, ...]


def scaffold(target: Path, files: Path, business: Business, source: str = "shop") -> Scaffold:
    """Look at a folder of files and write what runs a night on them.

    Args:
        target: folder to write into; made where it is not there.
        files: folder of the exports.
        business: of the shop.
        source: name of the source, in snake case.

    Raises:
        SourceError: the files cannot be read or hold no orders, or the target has settings already.
    """
    if not SOURCE.fullmatch(source):
        raise SourceError(f"source name {source!r} is not snake case; expected one like 'online_shop'")
    if (target / "loyalty.yaml").exists():
        raise SourceError(f"{target} has a loyalty.yaml already; choose another folder, or remove it")
    guesses, unknown = guess_feeds(profile_folder(files))
    feeds = {guess.feed.name: plan_feed(guess, source, _scales(guess, files)) for guess in guesses}
    _require_orders(feeds, guesses, unknown, files)
    texts = _texts(target, files, business, source, feeds, unknown)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Scaffold(
        target,
        tuple(feeds.values()),
        tuple(profile.file for profile in unknown),
        tuple(_doubts(feeds, business)),
        tuple(_missing(feeds)),
        tuple(texts),
    )


def _require_orders(
    feeds: Mapping[str, FeedPlan], guesses: Sequence[Guess], unknown: Sequence[Profile], files: Path
) -> None:
    """Refuse files without which there is no purchase: neither flat lines nor orders with an amount."""
    orders = feeds.get("orders")
    if "sales_lines" in feeds or (orders and ("order_lines" in feeds or "total_amount" in orders.columns)):
        return
    found = [f"{guess.profile.file} as {guess.feed.name}" for guess in guesses] + [
        f"{profile.file} with {', '.join(column.name for column in profile.columns[:12])}" for profile in unknown
    ]
    lacking = "orders have neither lines nor a total" if orders else "no file looks like orders"
    raise SourceError(
        f"{lacking} in {str(files)!r}: expected an order id, a customer id, a time, and an amount or lines; "
        f"found {'; '.join(found)}. Rename its columns, or write the mapping by hand: CONTRIBUTING.md says how"
    )


def _scales(guess: Guess, files: Path) -> dict[str | None, tuple[float, float]]:
    if guess.feed.name != "feedback":
        return {}
    return scores_by_question(
        files / guess.profile.file, guess.profile, guess.matches["score"].column.name, guess.column("question")
    )


def _texts(
    target: Path,
    files: Path,
    business: Business,
    source: str,
    feeds: Mapping[str, FeedPlan],
    unknown: Sequence[Profile],
) -> dict[Path, str]:
    """Every file of the shop's folder and its text."""
    templates, models = environment(), staging_models(feeds, business.currency)
    folder = target / "models" / "staging" / source
    texts = {folder / f"{model.name}.sql": model.sql for model in models}
    for model in models:
        text = templates.get_template("model.yml.j2").render(described(model))
        texts[folder / f"{model.name}.yml"] = text
    questions = [question for feed in feeds.values() for question in feed.questions]
    if questions:
        text = templates.get_template("feedback_questions.csv.j2").render(source=source, questions=questions)
        texts[target / "seeds" / "feedback_questions.csv"] = text
    tables = [(feed.table, f"{feed.guess.feed.title}, from {feed.guess.profile.file}") for feed in feeds.values()]
    texts[folder / f"_{source}__sources.yml"] = templates.get_template("sources.yml.j2").render(
        source=source, tables=tables
    )
    for feed in feeds.values():
        keys = [feed.columns[name] for name in feed.guess.feed.key[:1] or ("order_id",)]
        text = templates.get_template("suite.yml.j2").render(
            table=feed.table, keys=keys, is_needed=feed.table in ("orders", "order_lines", "sales_lines")
        )
        texts[target / "suites" / f"raw__{source}__{feed.table}.yml"] = text
    told = _told(target, files, business, source, feeds, unknown)
    texts[target / "loyalty.yaml"] = templates.get_template("loyalty.yaml.j2").render(told)
    texts[target / "README.md"] = templates.get_template("README.md.j2").render(told | {
        "feeds": [{**vars(feed), "unread": _unread(feed)} for feed in feeds.values()],
        "unknown": [profile.file for profile in unknown],
        "doubts": list(_doubts(feeds, business)),
        "missing": _missing(feeds),
        "config": "loyalty.yaml",
    })  # fmt: skip
    return texts


def _told(
    target: Path,
    files: Path,
    business: Business,
    source: str,
    feeds: Mapping[str, FeedPlan],
    unknown: Sequence[Profile],
) -> dict[str, Any]:
    orders = feeds.get("sales_lines") or feeds["orders"]
    when = orders.guess.matches["ordered_at"]
    file = orders.guess.profile
    first, last = day_range(files / file.file, file, when.column.name, when.written_as or "iso")
    return {
        "name": business.name,
        "time_zone": business.time_zone,
        "currency": business.currency,
        "source": source,
        "first_night": first + dt.timedelta(days=30),
        "as_of": last,
        "has_own_models": True,
        "folder": str(files.resolve()),
        "feeds": [
            {
                "table": feed.table,
                "files": feed.guess.profile.file,
                "format": feed.guess.profile.format,
                "delimiter": feed.guess.profile.delimiter,
                "encoding": feed.guess.profile.encoding,
                "columns": [column.sent for column in feed.columns.values()],
            }
            for feed in feeds.values()
        ],
    }


def _unread(feed: FeedPlan) -> list[str]:
    read = {column.sent for column in feed.columns.values()}
    return [column.name for column in feed.guess.profile.columns if column.name not in read]


def _missing(feeds: Mapping[str, FeedPlan]) -> list[tuple[str, str]]:
    have = set(feeds) | ({"products", "refunds"} if "sales_lines" in feeds else set())
    return [(name, text) for name, text in MISSING.items() if name not in have]


def _doubts(feeds: Mapping[str, FeedPlan], business: Business) -> Iterable[str]:
    yield f"times without an offset were taken for wall times of {business.time_zone}: set `business.time_zone`"
    orders = feeds.get("orders") or feeds["sales_lines"]
    if "currency_code" not in orders.columns:
        yield f"orders name no currency; {business.currency} was taken"
    if orders.table == "orders" and orders.guess.matches["customer_id"].column.is_unique:
        sent = orders.columns["customer_id"].sent
        yield f"each order has a `{sent}` of its own, so nobody would ever come back: is another column the customer?"
    if "order_status" not in orders.columns:
        yield "orders name no status; each was taken for delivered"
    for feed in feeds.values():
        yield from (f"{feed.table}: {doubt}" for doubt in doubts(feed.guess))
        for role, codes in feed.unknown_codes.items():
            yield f"{feed.table}: {role} has codes that no model knows: {', '.join(codes)}; map them in its model"
        hostile = [column.name for column in feed.guess.profile.columns if HOSTILE.search(column.name)]
        if hostile:
            yield f"{feed.table}: columns whose names hold quotes, braces or marks are not read: {', '.join(hostile)}"
        yield from (
            f"feedback: question {question.code} was taken for {question.instrument}, "
            f"scale {question.scale[0]} to {question.scale[1]}"
            for question in feed.questions
        )


def business_of(files: Path, name: str | None, time_zone: str, currency: str) -> Business:
    """What a person says of the shop; its name is that of the folder of its files where none is given.

    Raises:
        SourceError: the time zone or the currency is none, or the name holds marks that no name has.
    """
    told = name or files.resolve().name.replace("_", " ").title() or "Shop"
    if not CURRENCY.fullmatch(currency):
        raise SourceError(f"currency {currency!r} is none; expected three capital letters, like EUR")
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise SourceError(f"{time_zone!r} is no time zone of the IANA data base; write it as Europe/London") from None
    if not told.isprintable():
        raise SourceError(f"the name {told!r} holds marks that are not printed; give another with --name")
    return Business(told, time_zone, currency)
