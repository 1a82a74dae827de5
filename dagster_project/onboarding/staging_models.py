"""The staging models of a shop's feeds: which there are, and the texts of their files.

Belongs here: a line for each model that a feed becomes, and what its template is told. Does not belong here: the SQL
itself (`templates/`), the settings and the page for people (`scaffold.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from dagster_project.bracket_templates import bracket_environment
from dagster_project.column_words import description_of
from dagster_project.onboarding.declared_feeds import HASHED, declared_table, reached_by, sent_columns
from dagster_project.onboarding.shop import WHOLE_FILE, ColumnPlan, FeedPlan
from dagster_project.standard.models import model_columns, model_sql
from dagster_project.standard.tables import StandardTable

TEMPLATES = Path(__file__).with_name("templates")
_ONE = {"customers": "account", "products": "product", "orders": "order"}
_HAPPENED = {"customers": "created_at", "orders": "ordered_at"}
_REACHED = ("customers", "orders")
_ROW_KEY = "['_load_id', '_row_number']"
_PROVENANCE = ("source_name", "_file", "_loaded_at", "_load_id", "_row_number")


@dataclass(frozen=True)
class Model:
    """A staging model: its name, the text of its SQL, its description and its columns."""

    name: str
    sql: str
    description: str
    columns: tuple[str, ...]


def environment() -> jinja2.Environment:
    """The templates, and the forms that others' texts take in them; what ends a literal of SQL stops at `shop.py`."""
    made = bracket_environment(TEMPLATES)
    made.filters["json"] = lambda told: json.dumps(told, ensure_ascii=not str(told).isprintable())
    made.filters["csv"] = lambda text: '"' + text.replace('"', '""') + '"'
    made.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
    return made


def staging_models(feeds: Mapping[str, FeedPlan], currency: str, *, is_switched: bool = False) -> list[Model]:
    """Every staging model of a shop.

    Args:
        feeds: by the name of the feed.
        currency: of orders that name none.
        is_switched: whether each model is only there where its table is sent.
    """
    writer = _Writer(feeds, currency, is_switched)
    return [model for name in feeds for model in writer.models_of(name)]


class _Writer:
    """Writes the models of feeds that know each other."""

    def __init__(self, feeds: Mapping[str, FeedPlan], currency: str, is_switched: bool) -> None:
        self.feeds, self.currency, self.is_switched = feeds, currency, is_switched
        self.templates = environment()

    def models_of(self, name: str) -> Iterator[Model]:
        """The models that one feed becomes."""
        feed = self.feeds[name]
        if name == "sales_lines":
            yield from self._sales(feed)
            return
        if (table := declared_table(feed)) is not None:
            yield _declared(feed, table)
            return
        given = getattr(self, f"_{name}", self._entity)(feed)
        yield self._model(feed, name, given.pop("template", f"{name}.sql.j2"), given)
        if name == "orders" and "order_lines" not in self.feeds and "total_amount" in feed.columns:
            columns = ("order_id", "line_number", "product_id", "line_kind", "quantity", "unit_price", "line_amount")
            yield self._model(feed, "order_lines", "order_totals.sql.j2", {"made": columns})
        if reaching := self._reaching(feed):
            yield self._model(feed, "contacts", "contacts.sql.j2", reaching)
        if name == "feedback" and "comment" in feed.columns:
            told = ("stands_beside", "text_id", "customer_id", "language_code", "written_at", "written_text")
            given = {"made": told, "has_language": "language_code" in feed.columns}
            yield self._model(feed, "texts", "texts.sql.j2", given)

    def _model(self, feed: FeedPlan, entity: str, template: str, given: Mapping[str, Any]) -> Model:
        enabled = f", enabled='{feed.table}' in var('tables').get('{feed.source}', [])" if self.is_switched else ""
        told = {"source": feed.source, "table": feed.table, "currency": self.currency, "enabled": enabled}
        name = f"stg_{feed.source}__{entity}"
        sql = self.templates.get_template(template).render(told | dict(given))
        made = [column.name for column in given.get("columns", ())]
        made += [constant for constant, _ in given.get("constants", ())] + list(given.get("made", ()))
        return Model(name, sql, sql.splitlines()[0].removeprefix("-- Grain: ").capitalize(), (*made, *_PROVENANCE))

    def _reaching(self, feed: FeedPlan) -> dict[str, Any]:
        """What a model of contacts is told, where no feed is theirs alone; it stands beside the first that has some."""
        holders = [self.feeds[name] for name in _REACHED if name in self.feeds and reached_by(self.feeds[name])]
        if "contacts" in self.feeds or not holders or holders[0] is not feed:
            return {}
        known = {"customers": "created_at", "orders": "ordered_at"}
        told = [
            (holder.table, known[holder.table] if known[holder.table] in holder.columns else None, reached_by(holder))
            for holder in holders
        ]
        return {"holders": told, "names": HASHED, "made": ("customer_id", "order_id", "known_at", *HASHED)}

    def _entity(self, feed: FeedPlan) -> dict[str, Any]:
        name = feed.guess.feed.name
        constants = []
        if name == "orders":
            constants = [("order_status", "'delivered'"), ("currency_code", f"'{self.currency}'")]
        happened = _HAPPENED.get(name)
        return {
            "template": "entity.sql.j2",
            "one": _ONE[name],
            "columns": list(feed.columns.values()),
            "constants": [
                *((column, sql) for column, sql in constants if column not in feed.columns),
                *(reached_by(feed) if name in _REACHED and "contacts" not in self.feeds else {}).items(),
            ],
            "rules": _rules(feed),
            "key": feed.guess.feed.key[0],
            "happened_at": happened if happened in feed.columns else None,
            "latest_by": "updated_at" if "updated_at" in feed.columns else None,
        }

    def _order_lines(self, feed: FeedPlan) -> dict[str, Any]:
        columns, constants = dict(feed.columns), [("line_kind", "'product'")]
        quantity, price = _read(columns, "quantity"), _read(columns, "unit_price")
        if "line_amount" in columns:
            amount = _read(columns, "line_amount") or ""
        else:
            amount = f"product_amount({quantity}, {price})" if quantity else str(price)
            constants.append(("line_amount", "{{ " + amount + " }}"))
        if quantity is None:
            constants.append(("quantity", "1"))
        if price is None:
            ratio = f"ratio({amount}, {quantity or repr('1')})"
            constants.append(("unit_price", "{{ as_money(" + ratio + ") }}"))
        if "line_number" not in columns:
            constants.append(("line_number", _numbered(_sql(columns["order_id"]))))
        orders = self.feeds["orders"].columns
        return {
            "columns": list(columns.values()),
            "constants": constants,
            "rules": [
                *_rules(feed),
                *_missing(columns, "line_number", "quantity", "unit_price", "line_amount"),
                *([] if "line_amount" in columns else _no_amount(columns)),
            ],
            "amount": amount,
            "order_id": _sql(columns["order_id"]),
            "order_id_sent": columns["order_id"].sent,
            "order_id_of_orders": _sql(orders["order_id"]),
            "ordered_at": _sql(orders["ordered_at"]),
            "key": "['order_id', 'line_number']" if "line_number" in columns else _ROW_KEY,
        }

    def _refunds(self, feed: FeedPlan) -> dict[str, Any]:
        columns = feed.columns
        return {
            "columns": list(columns.values()),
            "made": ("customer_id", "currency_code"),
            "rules": _rules(feed),
            "amount": _read(columns, "refund_amount"),
            "order_id": _sql(columns["order_id"]),
            "order_id_sent": columns["order_id"].sent,
        }

    def _feedback(self, feed: FeedPlan) -> dict[str, Any]:
        columns = {role: column for role, column in feed.columns.items() if role not in ("question", "comment")}
        if "comment" in feed.columns:
            words = _sql(feed.columns["comment"])
            columns["has_text"] = ColumnPlan("has_text", "", "", f"{words} is not null", ())
            columns["written_text"] = ColumnPlan("written_text", "", "", words, ())
        question = feed.columns.get("question")
        joins_orders = "customer_id" not in columns
        return {
            "columns": list(columns.values()),
            "made": (
                *(["customer_id"] if joins_orders or "customer_id" in columns else []),
                "instrument", "question", "scale_min", "scale_max", "is_reversed",
            ),
            "rules": _rules(feed),
            "score": _read(columns, "score"),
            "score_sent": columns["score"].sent,
            "question": f"'lower(' ~ {_read(feed.columns, 'question')} ~ ')'" if question else f"\"'{WHOLE_FILE}'\"",
            "joins_orders": joins_orders,
            "order_id": _sql(columns["order_id"]) if "order_id" in columns else "null",
        }  # fmt: skip

    def _sales(self, feed: FeedPlan) -> Iterator[Model]:
        columns = feed.columns
        quantity, price = _read(columns, "quantity"), _read(columns, "unit_price")
        given = {
            "columns": list(columns.values()),
            "made": ("line_amount", "is_return"),
            "rules": [*_rules(feed), *_no_amount(columns)],
            "amount": f"product_amount({quantity}, {price})",
            "quantity": "{{ " + str(quantity) + " }}",
        }
        yield self._model(feed, "sales_lines", "sales_lines.sql.j2", given)
        told = [name for name in ("channel", "country_code") if name in columns]
        order = ("order_id", "customer_id", "ordered_at", "order_status", "currency_code", *told)
        yield self._model(feed, "orders", "sales_orders.sql.j2", {"told": told, "made": order})
        line = ("order_id", "line_number", "product_id", "line_kind", "quantity", "unit_price", "line_amount")
        yield self._model(feed, "order_lines", "sales_order_lines.sql.j2", {"made": line})
        refund = (
            "refund_id",
            "order_id",
            "customer_id",
            "refunded_at",
            "refund_amount",
            "currency_code",
            "refund_reason",
        )
        yield self._model(feed, "refunds", "sales_refunds.sql.j2", {"made": refund})
        if "product_name" in columns:
            yield self._model(feed, "products", "sales_products.sql.j2", {"made": ("product_id", "product_name")})


def _declared(feed: FeedPlan, table: StandardTable) -> Model:
    sent = sent_columns(feed, table)
    sql = model_sql(feed.source, table, sent)
    return Model(
        f"stg_{feed.source}__{feed.table}", sql, f"One row of {table.title}", tuple(model_columns(table, sent))
    )


def described(model: Model) -> dict[str, Any]:
    """A model as its yml tells it: each column with its words."""
    columns = [(name, description_of(name)) for name in dict.fromkeys(model.columns)]
    return {"name": model.name, "description": model.description, "columns": columns}


def _sql(column: ColumnPlan) -> str:
    return column.sql


def _read(columns: Mapping[str, ColumnPlan], role: str) -> str | None:
    """The expression, within dbt's marks, that reads a column; None where there is none."""
    return columns[role].sql.removeprefix("{{ ").removesuffix(" }}") if role in columns else None


def _rules(feed: FeedPlan) -> list[str]:
    return [rule for column in feed.columns.values() for rule in column.rules]


def _missing(columns: Mapping[str, ColumnPlan], *roles: str) -> list[str]:
    return [f"rule_missing('{columns[role].sent}')" for role in roles if role in columns]


def _no_amount(columns: Mapping[str, ColumnPlan]) -> list[str]:
    """The rule that units times their price is an amount, where a source sends both."""
    quantity, price = columns.get("quantity"), columns.get("unit_price")
    if quantity is None or price is None:
        return []
    told = f"'{quantity.sent}', '{price.sent}', {_read(columns, 'quantity')}, {_read(columns, 'unit_price')}"
    return [f"rule_no_amount({told})"]


def _numbered(order_id: str) -> str:
    return (
        f"row_number() over (\n            partition by {order_id}\n            "
        "order by raw._loaded_at nulls last, raw._file nulls last, raw._row_number nulls last\n        )"
    )
