"""The simulated shop: a seeded small business, as files, with the faults that real sources have.

All times are naive local times of Europe/Berlin, all prices hold the tax. Planted faults, so that quarantine and
exclusions are seen at work: exact duplicate orders, unparsable dates, impossible scores, test, unpaid, cancelled and
worthless orders, a currency without a rate, a quantity in words, a customer row with too few fields.

Belongs here: putting the drawn shop into files. Does not belong here: the drawing (`simulated_people.py`,
`simulated_baskets.py`, `simulated_feedback.py`, `simulated_text.py`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources import simulated_baskets as baskets
from dagster_project.sources import simulated_feedback as feedback
from dagster_project.sources.simulated_people import Days, Ints, People, Visits, people, visits
from dagster_project.sources.simulated_text import LANGUAGES
from dagster_project.sources.tables import SourceError

MARKER_NAME = ".simulated.json"
_FORMAT = 1  # raise it when the same parameters give other files
_DAY = 86_400
_Columns = Mapping[str, Sequence[object] | npt.NDArray[Any]]


@dataclass(frozen=True)
class _Shop:
    crowd: People
    orders: Visits
    catalogue: baskets.Products
    basket: baskets.Lines
    paid: baskets.Amounts
    first_day: np.datetime64
    end: int
    is_guest: feedback.Flags
    status: feedback.Texts
    payment: feedback.Texts


def write_demo_shop(
    folder: Path, customers: int = 5000, days: int = 730, last_day: date = date(2025, 12, 31), seed: int = 7
) -> None:
    """Write the simulated shop's seven files; the same arguments give the same content, and a second call does nothing.

    Args:
        folder: Where the files go. It may be absent, empty, or written by an earlier call, which is replaced.
        customers: Customers, 100 or more.
        days: Length of the history, 90 or more.
        last_day: Last day of the history; the last order is of that day, and nothing is later.
        seed: Seed of all draws.

    Raises:
        SourceError: When the folder holds something else, or the shop would be too small for its planted faults.
    """
    if customers < 100 or days < 90:
        raise SourceError(
            f"a shop of {customers} customers over {days} days is too small; expected 100 over 90 or more"
        )
    parameters = {
        "format": _FORMAT,
        "customers": customers,
        "days": days,
        "last_day": last_day.isoformat(),
        "seed": seed,
    }
    marker = folder / MARKER_NAME
    if marker.is_file():
        if marker.read_text(encoding="utf-8") == json.dumps(parameters):
            return
    elif folder.exists() and any(folder.iterdir()):
        raise SourceError(
            f"folder {str(folder)!r} holds files that no simulation wrote; expected an empty folder: choose another"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        rng = np.random.default_rng(seed)
        _write_files(rng, _draw(rng, customers, days, last_day), fresh)
        (fresh / MARKER_NAME).write_text(json.dumps(parameters), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _draw(rng: np.random.Generator, customers: int, days: int, last_day: date) -> _Shop:
    first_day = np.datetime64(last_day, "D") - (days - 1)
    crowd = people(rng, customers, days, len(baskets.KINDS))
    orders = visits(rng, crowd, first_day + np.arange(days))
    catalogue = baskets.products(rng, days)
    basket = baskets.lines(rng, catalogue, crowd, orders, days)
    count, end = len(orders.customer), days * _DAY
    worthless = rng.choice(count, 6, replace=False)
    basket.cents[np.isin(basket.order, worthless)] = 0
    paid = baskets.amounts(rng, basket, count)
    paid.shipping[worthless] = 0
    status, payment = _statuses(rng, (end - orders.second) / _DAY)
    is_guest = rng.random(count) < 0.03
    return _Shop(crowd, orders, catalogue, basket, paid, first_day, end, is_guest, status, payment)


def _statuses(rng: np.random.Generator, age_days: npt.NDArray[np.float64]) -> tuple[feedback.Texts, ...]:
    """How far each order has come: young ones are on their way, a few are cancelled or were never paid."""
    chance = rng.random(len(age_days))
    status = np.select([age_days < 1, age_days < 3, age_days < 7], ["placed", "paid", "shipped"], "delivered")
    status = np.where(chance < 0.03, "cancelled", status).astype(object)
    payment = np.where((age_days < 1) & (rng.random(len(age_days)) < 0.3), "pending", "paid").astype(object)
    payment[chance < 0.03] = "voided"
    never_paid = (chance >= 0.03) & (chance < 0.04)
    status[never_paid], payment[never_paid] = "placed", "failed"
    return status, payment


def _write_files(rng: np.random.Generator, shop: _Shop, folder: Path) -> None:
    is_delivered = shop.status == "delivered"
    is_asked = is_delivered & ~shop.is_guest
    _write_csv(folder / "customers.csv", _customer_columns(rng, shop), extra_row=["c999999", "2025-03-04 10:00:00"])
    _write_csv(folder / "products.csv", _product_columns(shop))
    _write_csv(folder / "orders.csv.gz", _order_columns(rng, shop))
    _write_csv(folder / "order_lines.csv.gz", _line_columns(rng, shop))
    _write_csv(folder / "refunds.csv", _refund_columns(rng, shop, is_delivered))
    _write_csv(folder / "survey_answers.csv", _answer_columns(rng, shop, is_asked))
    _write_reviews(folder / "reviews.parquet", rng, shop, is_asked)


def _customer_columns(rng: np.random.Generator, shop: _Shop) -> _Columns:
    count = len(shop.crowd.first_day)
    first_order = np.full(count, shop.end, dtype=np.int64)
    np.minimum.at(first_order, shop.orders.customer, shop.orders.second)
    channels = ["search", "organic", "social", "referral", "email", "store"]
    return {
        "customer_id": _ids("c", np.arange(count), 6),
        "created_at": _times(shop, first_order - rng.integers(60, 1_800, count)),
        "country": rng.choice(["DE", "AT", "NL", "FR", "IT", "ES"], count, p=[0.6, 0.12, 0.08, 0.08, 0.06, 0.06]),
        "acquisition_channel": rng.choice(channels, count, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05]),
    }


def _product_columns(shop: _Shop) -> _Columns:
    made = shop.catalogue
    kinds = [baskets.KINDS[kind] for kind in made.kind]
    ranks = np.arange(len(kinds)) % baskets.PRODUCTS_PER_KIND + 1
    return {
        "product_id": _ids("p", np.arange(len(kinds)), 3),
        "product_name": [
            f"{kind.replace('_', ' ').title()} No. {rank}" for kind, rank in zip(kinds, ranks, strict=True)
        ],
        "product_kind": kinds,
        "launched_on": np.datetime_as_string(shop.first_day + made.launch_day),
        "unit_cost": _money(made.cost_cents),
    }


def _order_columns(rng: np.random.Generator, shop: _Shop) -> _Columns:
    count = len(shop.orders.customer)
    odd = rng.choice(count, 35, replace=False)  # planted faults, each on its own order
    customer = _ids("c", shop.orders.customer, 6)
    customer[shop.is_guest] = ""
    ordered_at = _times(shop, shop.orders.second)
    ordered_at[odd[:4]] = ["2025-13-45 99:99:99", "yesterday", "0000-00-00 00:00:00", "31/02/2025 8am"]
    currency = np.full(count, "EUR", dtype=object)
    currency[odd[4:10]] = "USD"
    channel = rng.choice(["web", "app", "store"], count, p=[0.55, 0.33, 0.12])
    device = np.where(channel == "store", "till", np.where(channel == "app", "phone", ""))
    device = np.where(device == "", rng.choice(["desktop", "phone", "tablet"], count, p=[0.5, 0.42, 0.08]), device)
    updated = np.minimum(shop.orders.second + rng.integers(0, 9 * _DAY, count), shop.end - 1)
    columns: dict[str, feedback.Texts] = {
        "order_id": _ids("o", np.arange(count), 7),
        "customer_id": customer,
        "ordered_at": ordered_at,
        "status": shop.status,
        "payment_status": shop.payment,
        "currency": currency,
        "discount_amount": _money(shop.paid.discount),
        "shipping_amount": _money(shop.paid.shipping),
        "tax_amount": _money(shop.paid.tax),
        "channel": channel.astype(object),
        "device": device.astype(object),
        "is_test": _flags(count, odd[10:20]),
        "is_gift_card_only": _flags(count, odd[20:30]),
        "updated_at": _times(shop, updated),
    }
    rows = np.concatenate([np.arange(count), np.sort(odd[30:35])])  # the last five stand there twice
    return {name: values[rows] for name, values in columns.items()}


def _line_columns(rng: np.random.Generator, shop: _Shop) -> _Columns:
    made = shop.basket
    quantity = made.quantity.astype(object)
    quantity[rng.integers(0, len(quantity))] = "two"
    return {
        "order_id": _ids("o", made.order, 7),
        "line_number": made.number,
        "product_id": _ids("p", made.product, 3),
        "quantity": quantity,
        "unit_price": _money(made.cents),
    }


def _refund_columns(rng: np.random.Generator, shop: _Shop, is_delivered: feedback.Flags) -> _Columns:
    made = feedback.refunds(rng, shop.orders, shop.paid, is_delivered, shop.end)
    return {
        "refund_id": _ids("r", np.arange(len(made.order)), 6),
        "order_id": _ids("o", made.order, 7),
        "refunded_at": _times(shop, made.second),
        "refund_amount": _money(made.cents),
        "reason": made.reason,
    }


def _answer_columns(rng: np.random.Generator, shop: _Shop, is_asked: feedback.Flags) -> _Columns:
    made = feedback.survey_answers(rng, shop.crowd, shop.orders, is_asked, shop.end)
    order = _ids("o", np.maximum(made.order, 0), 7)
    order[made.order < 0] = ""
    score = made.score.astype(object)
    score[np.flatnonzero(made.is_nps)[[3, 7, 11]]] = ["11", "10/10", "-1"]
    return {
        "answer_id": _ids("a", np.arange(len(order)), 6),
        "customer_id": _ids("c", made.customer, 6),
        "order_id": order,
        "question": np.where(made.is_nps, "nps", "csat"),
        "score": score,
        "channel": rng.choice(["email", "app", "web"], len(order), p=[0.6, 0.25, 0.15]),
        "language": np.array(LANGUAGES)[shop.crowd.language[made.customer]],
        "answered_at": _times(shop, made.second),
        "comment": made.comment,
    }


def _write_reviews(path: Path, rng: np.random.Generator, shop: _Shop, is_asked: feedback.Flags) -> None:
    made = feedback.reviews(rng, shop.crowd, shop.orders, is_asked, shop.end)
    columns = {
        "review_id": pa.array(_ids("v", np.arange(len(made.order)), 6), pa.string()),
        "customer_id": pa.array(_ids("c", made.customer, 6), pa.string()),
        "order_id": pa.array(_ids("o", made.order, 7), pa.string()),
        "stars": pa.array(made.score, pa.int32()),
        "review_text": pa.array(made.comment, pa.string()),
        "language": pa.array(np.array(LANGUAGES)[shop.crowd.language[made.customer]], pa.string()),
        "created_at": pa.array((shop.first_day + made.second.astype("m8[s]")).astype("M8[us]")),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def _ids(prefix: str, numbers: Ints, width: int) -> feedback.Texts:
    """Ids that count from 1, as objects so that empty ones fit."""
    return np.array([f"{prefix}{number + 1:0{width}d}" for number in numbers.tolist()], dtype=object)


def _money(cents: Ints) -> feedback.Texts:
    return np.array([f"{amount // 100}.{amount % 100:02d}" for amount in cents.tolist()], dtype=object)


def _times(shop: _Shop, seconds: Ints) -> feedback.Texts:
    moments: Days = shop.first_day.astype("M8[s]") + seconds.astype("m8[s]")
    return np.char.replace(np.datetime_as_string(moments, unit="s"), "T", " ").astype(object)


def _flags(count: int, true_at: Ints) -> feedback.Texts:
    flags = np.full(count, "false", dtype=object)
    flags[true_at] = "true"
    return flags


def _write_csv(path: Path, columns: _Columns, extra_row: list[str] | None = None) -> None:
    """Write columns as CSV, gzipped without a time stamp where the name says so; `extra_row` goes to the middle."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    rows: list[Sequence[object]] = list(zip(*columns.values(), strict=True))
    if extra_row is not None:
        rows.insert(len(rows) // 2, extra_row)
    writer.writerows(rows)
    content = out.getvalue().encode()
    path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0) if path.suffix == ".gz" else content)
