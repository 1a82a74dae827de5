"""A published night, and the same night with one thing changed in what its sources sent, its settings or its day.

What belongs here: making the changed night in memory from raw rows to headlines, customer values with it, and holding
both nights side by side. What is changed and what `explain` must say of it stands in `injection.py` and
`test_injected_causes.py`; the models come from `built_night.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from built_night import BuiltNight
from corner_shop import NIGHT, CornerShop

from dagster_project.assets.models import valued
from dagster_project.dbt_compiler import DbtCompiler
from dagster_project.explaining.changes import Change, explain_changes
from dagster_project.explaining.lineage import Lineage
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.states import Comparison
from dagster_project.publishing.versions import current_database

HEADLINE_TABLES = ("fct_orders", "fct_feedback", "fct_customers", "dim_customers", "loyalty_metrics")
CHOSEN = {
    "chosen_orders": f"""
        select row_number() over (order by order_id) as number, order_id, customer_key, net_amount, customer_id
        from (
            from earlier.marts.fct_orders
            where is_valid and original_currency_code = 'EUR' and count_refunds = 0 and net_amount > 20
                and order_date between date '{NIGHT}' - 200 and date '{NIGHT}' - 60
            qualify row_number() over (partition by customer_key order by order_date desc, order_id) = 1
        )
        inner join (select order_id, customer_id from base.demo__orders where customer_id is not null) using (order_id)
        """,
    "chosen_guests": """
        select row_number() over (order by order_id) as number, order_id, customer_key
        from earlier.marts.fct_orders
        inner join (select order_id from base.demo__orders where customer_id is null) using (order_id)
        inner join (select order_id from base.demo__guest_contacts where email__mailbox is not null) using (order_id)
        where is_valid
        qualify count(*) over (partition by customer_key) = 1
        """,
    "chosen_answers": f"""
        select row_number() over (order by feedback_id) as number, feedback_id, customer_key, band
        from earlier.marts.fct_feedback
        where instrument = 'nps' and customer_key is not null
        qualify row_number() over (partition by customer_key order by feedback_date desc, feedback_id) = 1
            and feedback_date < date '{NIGHT}' - 10
        """,
}
"""What injections touch: orders of accounts and of guests, and answers; one a customer, numbered."""
SENT_AGAIN = """
select * replace (_row_number + 1000000 as _row_number, _loaded_at + interval 1 hour as _loaded_at, 'later' as _load_id)
from ({rows})"""


class InjectedNight(BuiltNight):
    """The shop as its sources had described it by the end of the published night, and one change of it at a time.

    The published version is `earlier` in the connection. Rows of later days, which that night did not see, are gone.

    Args:
        shop: published.
        scratch: an empty folder, for what dbt compiles.
    """

    def __init__(self, shop: CornerShop, scratch: Path) -> None:
        super().__init__(shop)
        self._settings = shop.settings()
        self._compiler = DbtCompiler(self._settings, scratch)
        self._lineage = Lineage(self._compiler.manifest())
        self._other_sql: dict[str, str] = {}
        self._changed: set[str] = set()
        self._forget_what_was_not_seen()
        self.con.execute(f"attach '{current_database(shop.home / 'published')}' as earlier (read_only)")
        self.order(list(HEADLINE_TABLES))
        for table, rows in CHOSEN.items():
            self.con.execute(f"create table {table} as {rows}")

    def explain(self, sent: Mapping[str, str], definitions: Mapping[str, Any], days: int) -> list[Change]:
        """Make the changed night, in `memory`, and explain it; `customer_changes` has the customers' parts.

        Args:
            sent: feed -> query of rows that its source sends besides.
            definitions: settings that are others from now on.
            days: that go by.
        """
        as_of = NIGHT + dt.timedelta(days=days)
        before = self._changed
        self._changed = self._send(sent) | self._compile(definitions, as_of)
        self.build_all(self._made_of(before | self._changed))
        valued(self.con, as_of, self._settings)
        compared = Comparison("earlier", "memory", NIGHT, as_of, is_same_code=not definitions)
        usual = self._settings.definitions.model_dump()
        rules, rules_before = Rules.of(usual | dict(definitions)), Rules.of(usual)
        return explain_changes(self.con, compared, rules, rules_before=rules_before)

    def _send(self, sent: Mapping[str, str]) -> set[str]:
        """Let feeds hold what they held and these rows; gives the changed nodes."""
        for feed in self.feeds():
            more = f" union all by name {SENT_AGAIN.format(rows=sent[feed])}" if feed in sent else ""
            self.con.execute(f"create or replace table raw.{feed} as from base.{feed}{more}")
        return {f"source.loyalty.raw.{feed}" for feed in sent}

    def _compile(self, definitions: Mapping[str, Any], as_of: dt.date) -> set[str]:
        """The SQL of the models that read a setting, or of all on another day; gives the changed nodes."""
        models = {id_: model for id_, model in self._lineage.models.items() if model.name in self._order}
        read = [model.name for model in models.values() if as_of > NIGHT or model.settings & set(definitions)]
        self._other_sql = self._compiler.compiled_models(read, as_of, definitions) if read else {}
        return set(self._other_sql)

    def _made_of(self, changed: set[str]) -> list[str]:
        """Changed models and those that anything changed feeds, each after its parents."""
        found = set(changed)
        for model in self._order:
            if found & set(self._node(model)["depends_on"]["nodes"]):
                found.add(f"model.loyalty.{model}")
        return [model for model in self._order if f"model.loyalty.{model}" in found]

    def _sql(self, node: dict[str, Any]) -> str:
        other = self._other_sql.get(node["unique_id"])
        return super()._sql(node) if other is None else other.replace('"warehouse".', "").replace('"scratch".', "")

    def _forget_what_was_not_seen(self) -> None:
        self.order(self.staged())
        for feed in self.feeds():
            for model in self.judges_of(feed):
                self.con.execute(
                    f"delete from base.{feed} where (_load_id, _row_number) in "
                    f"(select (_load_id, _row_number) from {self.relation(model)}__judged where not is_seen)"
                )
            self.con.execute(f"create or replace table raw.{feed} as from base.{feed}")
