"""The macros that staging and the keys rest on, most cases an edge; each runs as SQL of one row."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dagster_project.keyed_hashes import padded_keys

SECRET = "the shop's secret"  # noqa: S105 - as conftest.py sets it
LONG_SECRET = "a secret longer than one block of the hash: " * 3


def text(written: str) -> str:
    return "'" + written.replace("'", "''") + "'"


def wall_time(written: str) -> dt.datetime:
    return dt.datetime.fromisoformat(written)


def instant(written: str) -> str:
    return f"timestamp '{written}'"


def day(written: str) -> str:
    return f"date '{written}'"


# -- casts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12", 12),
        (" 7 ", 7),
        ("+3", 3),
        ("-4", -4),
        ("007", 7),
        ("-999999999999999999", -999999999999999999),
        ("0000000000000000000042", 42),
        ("1000000000000000000", None),
        ("-9223372036854775808", None),
        ("12.5", None),
        ("12.0", None),
        ("1e3", None),
        ("1_000", None),
        ("1,000", None),
        ("--3", None),
        ("٣", None),
        ("7 days", None),
        ("", None),
    ],
)
def test_whole_number_reads_digits_and_a_sign_only(answer: Callable[..., Any], written: str, read: int | None) -> None:
    assert answer("whole_number", written=text(written)) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12.5", Decimal("12.5")),
        (" -0.01 ", Decimal("-0.01")),
        ("1.23455", Decimal("1.2346")),
        ("-99999999999.99994", Decimal("-99999999999.9999")),
        ("99999999999.99995", None),
        ("9" * 41, None),
        ("1,5", None),
        ("€5", None),
        ("NaN", None),
        ("", None),
    ],
)
def test_number_reads_an_amount_to_four_decimals(
    answer: Callable[..., Any], written: str, read: Decimal | None
) -> None:
    assert answer("number", written=text(written)) == read


@pytest.mark.parametrize(
    ("left", "right", "product"),
    [
        ("3", "cast(19.99 as decimal(18, 4))", Decimal("59.97")),
        ("cast(90000000000.1234 as decimal(18, 4))", "cast(1.037705 as decimal(18, 8))", Decimal("93393450000.1281")),
        ("cast(50 as decimal(18, 4))", "cast(11000000 as decimal(18, 8))", Decimal(550_000_000)),
        ("cast(99999999999.9999 as decimal(18, 4))", "cast(9999999999.99999999 as decimal(18, 8))", None),
        ("cast(1e33 as decimal(38, 4))", "cast(0.00000001 as decimal(18, 8))", None),
        ("cast(-9223372036854775808 as bigint)", "cast(99999999999.9999 as decimal(18, 4))", None),
        ("cast(0.0001 as decimal(18, 4))", "cast(0.5 as decimal(18, 8))", Decimal("0.0001")),
        ("5", "cast(null as decimal(18, 8))", None),
    ],
)
def test_product_amount_is_exact_or_null(
    answer: Callable[..., Any], left: str, right: str, product: Decimal | None
) -> None:
    assert answer("product_amount", units=left, price=right) == product


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-01-31 13:45:00", wall_time("2025-01-31 13:45:00")),
        ("2025-01-31T13:45:00.5", wall_time("2025-01-31 13:45:00.500000")),
        (" 2025-1-3 4:05 ", wall_time("2025-01-03 04:05:00")),
        ("2025-01-31", wall_time("2025-01-31 00:00:00")),
        ("2024-02-29", wall_time("2024-02-29 00:00:00")),
        ("2025-02-29", None),
        ("2025-01-31 24:01:00", None),
        ("31.01.2025", None),
        ("01/31/2025", None),
        ("2025-01-31T13:45:00Z", None),
        ("2025-01-31 13:45:00+02", None),
        ("2025-01-31 13:45:00 Europe/Berlin", None),
        ("infinity", None),
        ("epoch", None),
        ("", None),
    ],
)
def test_moment_reads_a_wall_time_and_no_offset(
    answer: Callable[..., Any], written: str, read: dt.datetime | None
) -> None:
    assert answer("moment", written=text(written)) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("19970101", dt.date(1997, 1, 1)),
        ("19960229", dt.date(1996, 2, 29)),
        ("19970229", None),
        ("1997011", dt.date(1997, 1, 1)),
        ("97-01-01", None),
        ("", None),
    ],
)
def test_yyyymmdd_reads_a_day_without_marks(answer: Callable[..., Any], written: str, read: dt.date | None) -> None:
    assert answer("yyyymmdd", written=text(written)) == read


def test_text_of_a_blank_is_null(answer: Callable[..., Any]) -> None:
    assert answer("text", written="'  '") is None
    assert answer("text", written="''") is None
    assert answer("text", written="' two words '") == "two words"


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["demo:1", "", "Zoë 寿司 🍣", "x" * 1000])
def test_keyed_hash_equals_hmac_sha256(answer: Callable[..., Any], written: str) -> None:
    expected = hmac.new(SECRET.encode(), written.encode(), hashlib.sha256).hexdigest()[:32]
    assert answer("keyed_hash", written=text(written)) == expected


def test_keyed_hash_under_a_long_secret_equals_hmac_sha256(
    con: duckdb.DuckDBPyConnection, answer: Callable[..., Any]
) -> None:
    inner, outer = padded_keys(LONG_SECRET)
    con.execute("set variable hmac_inner = ?::blob", [inner])
    con.execute("set variable hmac_outer = ?::blob", [outer])
    expected = hmac.new(LONG_SECRET.encode(), b"demo:1", hashlib.sha256).hexdigest()[:32]
    assert answer("keyed_hash", written="'demo:1'") == expected


def test_keyed_hash_of_nothing_is_null(answer: Callable[..., Any]) -> None:
    assert answer("keyed_hash", written="cast(null as varchar)") is None


def test_keys_name_the_source_and_stay_null_without_an_id(answer: Callable[..., Any]) -> None:
    assert answer("key_of", source="'demo'", id="'1'") == "demo:1"
    assert answer("nullable_key_of", source="'demo'", id="'1'") == "demo:1"
    assert answer("nullable_key_of", source="'demo'", id="cast(null as varchar)") is None


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "date"),
    [
        ("2025-01-31 22:59:59.999", dt.date(2025, 1, 31)),
        ("2025-01-31 23:00:00", dt.date(2025, 2, 1)),
        ("2025-03-29 23:00:00", dt.date(2025, 3, 30)),  # a day of 23 hours
        ("2025-03-30 21:59:59.999999", dt.date(2025, 3, 30)),
        ("2025-03-30 22:00:00", dt.date(2025, 3, 31)),
        ("2025-10-25 22:00:00", dt.date(2025, 10, 26)),  # a day of 25 hours
        ("2025-10-26 22:59:59.999999", dt.date(2025, 10, 26)),
        ("2025-10-26 23:00:00", dt.date(2025, 10, 27)),
        ("2024-02-28 23:00:00", dt.date(2024, 2, 29)),
    ],
)
def test_business_date_turns_at_local_midnight(answer: Callable[..., Any], at: str, date: dt.date) -> None:
    assert answer("business_date", instant=instant(at)) == date


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2025-01-31 23:59:59.999", wall_time("2025-01-31 22:59:59.999000")),
        ("2025-07-31 23:59:59.999", wall_time("2025-07-31 21:59:59.999000")),
        # clocks jump from 02:00 to 03:00: a time in the gap is read as if they had not yet
        ("2025-03-30 01:59:59.999", wall_time("2025-03-30 00:59:59.999000")),
        ("2025-03-30 02:30:00", wall_time("2025-03-30 01:30:00")),
        ("2025-03-30 03:00:00", wall_time("2025-03-30 01:00:00")),
        # clocks go back from 03:00 to 02:00: a time that happens twice is the second, in winter time
        ("2025-10-26 01:59:59", wall_time("2025-10-25 23:59:59")),
        ("2025-10-26 02:30:00", wall_time("2025-10-26 01:30:00")),
        ("2025-10-26 03:00:00", wall_time("2025-10-26 02:00:00")),
    ],
)
def test_local_to_utc_on_the_days_that_clocks_change(answer: Callable[..., Any], local: str, utc: dt.datetime) -> None:
    assert answer("local_to_utc", wall_time=instant(local)) == utc


@pytest.mark.parametrize(
    ("zone", "first_day"),
    [
        ("Europe/Berlin", "2025-01-01"),
        ("America/New_York", "1997-01-01"),
        ("America/Sao_Paulo", "2017-01-01"),  # clocks change at midnight
        ("Asia/Kathmandu", "2025-01-01"),
        ("Pacific/Apia", "2011-06-01"),  # skipped a whole day
    ],
)
def test_wall_times_agree_with_pythons_zones_and_keep_their_day(
    con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str], zone: str, first_day: str
) -> None:
    to_utc = macro_sql["local_to_utc"].replace("Europe/Berlin", zone)
    to_date = macro_sql["business_date"].replace("Europe/Berlin", zone)
    rows = con.execute(
        f"with walls as (select {day(first_day)} + i * interval 30 minute as wall_time from range(48 * 400) as s (i)), "
        f"instants as (select wall_time, {to_utc} as instant from walls) "
        f"select wall_time, instant, {to_date} from instants order by wall_time"
    ).fetchall()
    in_zone = ZoneInfo(zone)
    compared = 0
    for local, utc, date in rows:
        readings = {local.replace(tzinfo=in_zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
        back = utc.replace(tzinfo=dt.UTC).astimezone(in_zone)
        assert utc.replace(tzinfo=dt.UTC) in readings, local
        assert date == back.date(), local
        if len(readings) == 1:
            assert date == local.date()
            compared += 1
    assert compared > 19_000


@pytest.mark.parametrize(
    ("earlier", "later", "months"),
    [
        ("2025-01-01", "2025-01-01", 0),
        ("2024-12-01", "2025-01-01", 1),
        ("2023-11-01", "2025-02-01", 15),
        ("2025-02-01", "2025-01-01", -1),
    ],
)
def test_months_between_firsts_of_month(answer: Callable[..., Any], earlier: str, later: str, months: int) -> None:
    assert answer("months_between", earlier=day(earlier), later=day(later)) == months


@pytest.mark.parametrize(
    ("happened", "after", "anniversary"),
    [
        ("2024-02-29", "2025-02-27", "2025-02-28"),
        ("2024-02-29", "2025-02-28", "2026-02-28"),
        ("2024-02-29", "2027-12-31", "2028-02-29"),
        ("2024-02-29", "2028-02-28", "2028-02-29"),
        ("2096-02-29", "2100-01-01", "2100-02-28"),
        ("2023-02-28", "2024-02-28", "2025-02-28"),
        ("2024-12-31", "2024-12-31", "2025-12-31"),
        ("2023-03-01", "2024-02-29", "2024-03-01"),
    ],
)
def test_an_anniversary_of_a_leap_day_is_the_last_of_february(
    answer: Callable[..., Any], happened: str, after: str, anniversary: str
) -> None:
    assert answer("next_anniversary", happened=day(happened), after=day(after)) == dt.date.fromisoformat(anniversary)


def test_anniversaries_are_those_of_the_calendar(con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str]) -> None:
    def of_year(happened: dt.date, year: int) -> dt.date:
        try:
            return happened.replace(year=year)
        except ValueError:
            return dt.date(year, 2, 28)

    pairs = con.execute(
        f"select happened, after, {macro_sql['next_anniversary']} from ("
        "select date '2019-01-01' + cast(day as integer) as happened, "
        "date '2019-01-01' + cast(day + (day * 37 + days) % 2900 as integer) as after "
        "from range(1500) as started (day), range(0, 2900, 290) as waited (days)) as given"
    ).fetchall()
    assert len(pairs) == 15_000
    for happened, after, anniversary in pairs:
        years = (of_year(happened, year) for year in (after.year, after.year + 1))
        assert anniversary == min(date for date in years if date > after), (happened, after)


def months_of(con: duckdb.DuckDBPyConnection, sql: str, earlier: str, later: str) -> list[str]:
    rows = con.execute(f"select month_start from (select {earlier} as earlier, {later} as later), lateral ({sql})")
    return [str(month) for (month,) in rows.fetchall()]


@pytest.mark.parametrize(
    ("earlier", "later", "months"),
    [
        ("2024-12-31", "2025-02-01", ["2024-12-01", "2025-01-01", "2025-02-01"]),
        ("2025-02-01", "2025-02-28", ["2025-02-01"]),
        ("2025-01-31", "2025-02-28", ["2025-01-01", "2025-02-01"]),
        ("2025-03-01", "2025-02-28", []),
    ],
)
def test_months_from_to_holds_both_ends(
    con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str], earlier: str, later: str, months: list[str]
) -> None:
    assert sorted(months_of(con, macro_sql["months_from_to"], day(earlier), day(later))) == months


def test_months_from_nothing_are_none(con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str]) -> None:
    assert months_of(con, macro_sql["months_from_to"], "cast(null as date)", day("2025-01-01")) == []


# -- definitions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "score", "score_0_100", "band"),
    [
        ("nps", "6", "60", "detractor"),
        ("nps", "7", "70", "passive"),
        ("nps", "8", "80", "passive"),
        ("nps", "9", "90", "promoter"),
        ("csat", "4", "74.9", "neutral"),
        ("csat", "4", "75", "satisfied"),
        ("csat", "2", "25", "dissatisfied"),
        ("csat", "2", "25.1", "neutral"),
        ("csat", "null", "null", None),
    ],
)
def test_feedback_band_ends(
    answer: Callable[..., Any], instrument: str, score: str, score_0_100: str, band: str | None
) -> None:
    found = answer("feedback_band", instrument=text(instrument), score=score, score_0_100=score_0_100)
    assert found == band


@pytest.mark.parametrize("score", ["11", "-1"])
def test_an_nps_score_off_its_scale_has_no_band(answer: Callable[..., Any], score: str) -> None:
    assert answer("feedback_band", instrument="'nps'", score=score, score_0_100=f"{score} * 10") is None
