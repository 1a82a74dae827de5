"""Files are taken for what they are, in several languages, and what is no feed for none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.onboarding.guessing import Guess, doubts, guess_feeds
from dagster_project.onboarding.profiling import profile
from dagster_project.onboarding.samples import file_samples
from dagster_project.onboarding.vocabulary import code_of, likeness, vocabulary, words

ORDERS = {
    "en": ("orders.csv", "Order Number,Customer ID,Order Date,Status,Total"),
    "shop export": ("orders_export.csv", "Name,Customer,Created at,Financial Status,Total"),
    "de": ("bestellungen.csv", "Bestellnummer,Kundennummer,Bestelldatum,Bestellstatus,Gesamtbetrag"),
    "fr": ("commandes.csv", "Numéro commande,Numéro client,Date commande,Statut,Montant total"),
    "es": ("pedidos.csv", "Número pedido,ID Cliente,Fecha pedido,Estado,Importe total"),
    "pt": ("pedidos.csv", "codigo_pedido,codigo_cliente,data_pedido,status_pedido,valor_total"),
    "it": ("ordini.csv", "Numero ordine,Codice cliente,Data ordine,Stato,Totale"),
    "nl": ("bestellingen.csv", "Bestelnummer,Klantnummer,Besteldatum,Status,Bedrag"),
    "zh-Hant": ("訂單.csv", "訂單編號,會員編號,下單時間,訂單狀態,總金額"),
    "zh-Hans": ("订单.csv", "订单编号,客户编号,下单时间,订单状态,总金额"),
}
RECORDS = "\n".join(f"A-{row},C{row % 7},2025-0{1 + row % 9}-11 10:00:00,paid,{row}.50" for row in range(40))


def guessed(folder: Path, files: dict[str, str]) -> tuple[dict[str, Guess], list[str]]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    found, unknown = guess_feeds(profile(sample) for sample in file_samples(folder)[0])
    return {guess.feed.name: guess for guess in found}, [other.name for other in unknown]


@pytest.mark.parametrize("language", ORDERS)
def test_orders_are_known_in_many_languages(tmp_path: Path, language: str) -> None:
    name, header = ORDERS[language]
    found, unknown = guessed(tmp_path, {name: f"{header}\n{RECORDS}"})
    assert (list(found), unknown) == (["orders"], [])
    columns = header.split(",")
    orders = found["orders"]
    assert [orders.column(role) for role in ("order_id", "customer_id", "ordered_at", "total_amount")] == [
        *columns[:3],
        columns[4],
    ]


def test_an_export_of_a_chinese_shop_is_known_whole(tmp_path: Path) -> None:
    """Its files as such systems call them: orders, lines, members with their contacts, and a questionnaire."""
    found, unknown = guessed(
        tmp_path,
        {
            "訂單主檔.csv": f"訂單編號,會員編號,下單時間,訂單狀態,總金額\n{RECORDS}",
            "商品明細.csv": "訂單編號,項次,商品編號,數量,單價\nA-1,1,P1,2,350\nA-1,2,P2,1,1200\nA-2,1,P1,1,350",
            "會員.csv": "會員編號,姓名,電子郵件,註冊日期\nC1,王小明,ming@mail.example,2025/01/01",
            "滿意度問卷.csv": "問卷編號,會員編號,評分,填答時間,意見\nS1,C1,9,2025/03/05 12:00:00,很滿意",
        },
    )
    assert {name: guess.profile.name for name, guess in found.items()} == {
        "orders": "訂單主檔.csv", "order_lines": "商品明細.csv", "customers": "會員.csv", "feedback": "滿意度問卷.csv"
    }  # fmt: skip
    assert unknown == []
    assert found["feedback"].column("submitted_at") == "填答時間"


LEDGERS = {
    "en": ("points_ledger.csv", "entry_id,member_id,transaction_type,points,event_date", ("Accrual", "Redemption")),
    "de": ("Punktekonto.csv", "Buchungsnummer,Kundennummer,Buchungsart,Punkte,Gebucht am", ("Gesammelt", "Eingelöst")),
    "fr": ("Points fidélité.csv", "ID mouvement,ID client,Type mouvement,Points,Date mouvement", ("Acquis", "Utilisé")),
    "es": ("Movimientos puntos.csv", "ID movimiento,ID cliente,Tipo movimiento,Puntos,Fecha", ("Ganado", "Canjeado")),
    "zh": ("點數紀錄.csv", "交易編號,會員編號,異動類別,點數,生效時間", ("獲得", "兌換")),
}
"""By language: name, header, and what earns and redeems."""


@pytest.mark.parametrize("language", LEDGERS)
def test_ledgers_of_points_are_known_in_many_languages(tmp_path: Path, language: str) -> None:
    name, header, kinds = LEDGERS[language]
    records = "\n".join(f"E{row},C{row % 7},{kinds[row % 2]},{10 + row},2025-01-02 10:00:00" for row in range(40))
    found, unknown = guessed(tmp_path, {name: f"{header}\n{records}"})
    assert (list(found), unknown) == (["point_events"], [])
    ledger = found["point_events"]
    roles = ("event_id", "customer_id", "event_kind", "points", "effective_at")
    assert [ledger.column(role) for role in roles] == header.split(",")
    assert [code_of("event_kind", kind, "point_events") for kind in kinds] == ["earn", "redeem"]


def test_events_that_no_ledger_has_are_no_ledger(tmp_path: Path) -> None:
    records = "\n".join(f"E{row},C{row % 7},{'shown' if row % 2 else 'hidden'},{row},2025-01-02" for row in range(40))
    found, _ = guessed(tmp_path, {"points.csv": f"event_id,customer_id,event,points,event_date\n{records}"})
    assert found == {}


def test_tickets_rates_and_contacts_are_known_beside_their_events(tmp_path: Path) -> None:
    found, unknown = guessed(
        tmp_path,
        {
            "tickets.csv": "ticket_id,requester_id,priority,created_at\n"
            + "".join(f"T{row},C{row % 7},Urgent,2025-01-02 10:00:00\n" for row in range(40)),
            "ticket_events.csv": "ticket_id,action,timestamp\n"
            + "".join(f"T{row % 9},{'created' if row < 9 else 'solved'},2025-01-02 10:00:00\n" for row in range(40)),
            "fx_rates.csv": "date,currency,rate\n"
            + "".join(f"2025-01-{1 + row:02},USD,0.9{row}\n" for row in range(28)),
            "kontakte.csv": "Kundennummer,E-Mail,Telefon\n"
            + "".join(f"C{row},c{row}@example.com,0301234{row:03}\n" for row in range(40)),
        },
    )
    assert unknown == []
    assert {name: guess.profile.name for name, guess in found.items()} == {
        "support_contacts": "tickets.csv",
        "support_events": "ticket_events.csv",
        "exchange_rates": "fx_rates.csv",
        "contacts": "kontakte.csv",
    }
    assert found["contacts"].column("phone") == "Telefon"


def test_sales_that_repeat_their_order_are_flat_lines(tmp_path: Path) -> None:
    records = "\n".join(
        f"{100 + row // 3},P{row},{1 + row % 4},2025-01-02 10:00:00,9.95,C{row // 9}" for row in range(60)
    )
    found, _ = guessed(tmp_path, {"export.csv": f"Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n{records}"})
    assert list(found) == ["sales_lines"]
    assert found["sales_lines"].column("unit_price") == "Price"


def test_two_files_are_two_feeds_and_each_feed_has_one_file(tmp_path: Path) -> None:
    lines = "\n".join(f"A-{row // 2},{1 + row % 2},P{row % 5},2,3.25" for row in range(80))
    found, unknown = guessed(
        tmp_path,
        {
            "orders.csv": f"{ORDERS['en'][1]}\n{RECORDS}",
            "order_items.csv": f"order_id,position,sku,qty,price\n{lines}",
            "orders_archive.csv": f"{ORDERS['en'][1]}\n{RECORDS}",
            "weather.csv": "station,rain\n1,2.5\n2,0\n",
        },
    )
    assert {name: guess.profile.name for name, guess in found.items()} == {
        "orders": "orders.csv",
        "order_lines": "order_items.csv",
    }
    assert unknown == ["orders_archive.csv", "weather.csv"]


def test_a_date_that_reads_both_ways_is_told(tmp_path: Path) -> None:
    records = "\n".join(f"A-{row},C{row % 7},0{1 + row % 9}/0{1 + row % 8}/2025,paid,{row}.50" for row in range(40))
    found, _ = guessed(tmp_path, {"orders.csv": f"{ORDERS['en'][1]}\n{records}"})
    assert found["orders"].matches["ordered_at"].written_as == "day_first_slashes"
    assert "`Order Date` reads day first or month first alike; day first was taken" in doubts(found["orders"])


def test_a_score_off_every_scale_is_no_answer(tmp_path: Path) -> None:
    records = "\n".join(f"R{row},C{row % 7},{1_000 + row},2025-01-02 10:00:00" for row in range(30))
    found, unknown = guessed(tmp_path, {"ratings.csv": f"review_id,customer_id,score,created_at\n{records}"})
    assert (found, unknown) == ({}, ["ratings.csv"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CustomerID", {"customer", "id"}),
        ("customer_ids", {"customer", "id"}),
        ("Prénom Client", {"prenom", "client"}),
        ("訂單編號", {"訂單編號"}),
        ("status", {"statu"}),
    ],
)
def test_words_of_names(name: str, expected: set[str]) -> None:
    assert words(name) == expected


def test_likeness_is_whole_for_the_same_words_and_none_for_others() -> None:
    known = (words("order date"),)
    assert likeness("OrderDate", known) == 1
    assert likeness("date", known, context=words("orders")) < 1
    assert 0.4 < likeness("order created date", known) < 1
    assert likeness("rain", known) == 0


def test_codes_of_exports_have_our_names() -> None:
    assert code_of("order_status", "Canceled") == "cancelled"
    assert code_of("order_status", "Versandt") == "shipped"
    assert code_of("payment_status", "partially_refunded") == "refunded"
    assert code_of("order_status", "on a boat") is None
    assert code_of("channel", "web") is None


def test_no_two_columns_of_a_feed_share_a_name() -> None:
    for feed in vocabulary().values():
        names = [(name, role.kind) for role in feed.roles.values() for name in set(role.names)]
        shared = {
            name
            for name, _ in names
            if len({kind for other, kind in names if other == name}) < sum(n == name for n, _ in names)
        }
        assert not {" ".join(sorted(name)) for name in shared if name}, feed.name
