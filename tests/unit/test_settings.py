"""Settings: what a wrong one says, what wins over what, and which night it is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.settings import PROJECT_ROOT, Settings, SettingsError, expand_folder, load_settings
from dagster_project.source_settings import FileSource, RestSource

SHOP: dict[str, Any] = {
    "business": {"name": "Shop", "time_zone": "Europe/Berlin", "currency": "EUR", "first_night": dt.date(2024, 6, 1)},
    "sources": {"till": {"folder": "/data", "tables": {"orders": {"files": "orders.csv", "columns": ["order_id"]}}}},
}
TABLE = {"files": "o.csv", "columns": ["a"]}
WAIVER = {"table": "marts.a", "rule": "b", "from": "2026-01-01", "until": "2026-01-31", "reason": "x"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "loyalty.yaml"


def load(config: Path, **changes: Any) -> Settings:
    config.write_text(yaml.safe_dump(SHOP | changes), encoding="utf-8")
    return load_settings(config)


def refusal(config: Path, **changes: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(config, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{config}: ")
    return message.removeprefix(f"{config}: ")


def test_the_least_a_shop_must_say_is_enough(config: Path) -> None:
    settings = load(config)
    assert settings.sources["till"].connector == "files"
    assert settings.definitions.churn_horizon_days == 90


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"busines": {}}, "unknown key 'busines', did you mean 'business'?"),
        ({"definitions": {"churn_horizon": 60}}, "'definitions.churn_horizon', did you mean 'churn_horizon_d"),
        ({"definitions": {"zzz": 1}}, "unknown key 'definitions.zzz'"),
        ({"definitions": {"churn_horizon_days": "soon"}}, "'definitions.churn_horizon_days': Input should be a valid"),
        ({"definitions": {"churn_horizon_days": 0}}, "Input should be greater than or equal to 1 (found 0)"),
        ({"business": {"name": "Shop"}}, "'business.currency' is missing"),
        ({"business": SHOP["business"] | {"currency": "euro"}}, "'business.currency': String should match pattern"),
        ({"business": SHOP["business"] | {"time_zone": "Berlin"}}, "'Berlin' is not a time zone of the IANA data base"),
        ({"alerts": {"night_due_hour": 3}}, "unknown key 'alerts.night_due_hour', did you mean 'night_due_hours'?"),
        ({"alerts": {"channels": [{"kind": "email", "hots": "x"}]}}, "did you mean 'host'?"),
        ({"alerts": {"channels": [{"kind": "pigeon"}]}}, "'pigeon' found using 'kind' does not match"),
        ({"alerts": {"channels": [{"kind": "webhook", "url_variable": "https://x"}]}}, "String should match pattern"),
        (
            {"sources": {"till": {"folder": "/d", "tables": {"o": TABLE | {"enumerations": ["b"]}}}}},
            "'enumerations' names b, which is none of the table's columns",
        ),
        (
            {"sources": {"till": {"folder": "/d", "tables": {"o": TABLE | {"identifiers": {"b": "email"}}}}}},
            "'identifiers' or 'identifies' names b, which is none of the table's columns",
        ),
        (
            {"sources": {"till": {"folder": "/d", "tables": {"o": TABLE | {"identifiers": {"a": "mail"}}}}}},
            "Input should be 'email', 'phone', 'name', 'birthday', 'card' or 'handle'",
        ),
        ({"privacy": {"calling_code": "+49"}}, "'privacy.calling_code': String should match pattern"),
        (
            {"definitions": {"identity": {"never_the_same": [["shop:a", "shop:a"]]}}},
            "'never_the_same' holds the pair shop:a, shop:a: nobody differs from themselves",
        ),
        (
            {"definitions": {"identity": {"rules": [], "suggests_merges": True}}},
            "'suggests_merges' learns from what 'rules' link, and there are none; name a rule, or turn it off",
        ),
        ({"waivers": [{"table": "marts.a", "rule": "b", "from": "2026-01-01", "reason": "x"}]}, "until' is missing"),
        ({"waivers": [WAIVER | {"until": "2025-12-31"}]}, "must end on or after its first day and at most 366 days"),
        ({"waivers": [WAIVER | {"until": "2027-01-03"}]}, "must end on or after its first day and at most 366 days"),
        ({"waivers": [WAIVER | {"reason": ""}]}, "should have at least 1 character"),
        ({"waivers": [WAIVER | {"untill": "2026-01-02"}]}, "did you mean 'until'?"),
        ({"sources": {}}, "'sources': Dictionary should have at least 1 item"),
        ({"sources": {"My Till": SHOP["sources"]["till"]}}, "source name 'My Till' must be snake case, like 'online_"),
        ({"sources": {"till": {"tables": {}}}}, "a source of connector 'files' needs 'folder'"),
        ({"sources": {"till": {"folder": "/d", "tables": {"o": {"files": "o.csv"}}}}}, "a table needs 'columns'"),
        (
            {"sources": {"till": {"folder": "/d", "tables": {"o": {"files": "o.txt", "format": "fixed_width"}}}}},
            "a fixed_width table needs 'fields', each with name, start and width",
        ),
        ({"engine": {"memory_limit": "lots"}}, "'engine.memory_limit': String should match pattern"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_cure(changes: dict[str, Any], message: str, config: Path) -> None:
    assert message in refusal(config, **changes)


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no settings at .*none\.yaml; pass --config FILE or set LOYALTY_CONFIG"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"business: [", "is not readable as YAML"),
        (b"\xff\xfe\x00", "is not readable as YAML"),
        (b"- a\n", "holds list, expected a mapping with 'business' and 'sources'"),
        (b"", "holds NoneType, expected a mapping"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_in_one_line(content: bytes, message: str, config: Path) -> None:
    config.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_wins_over_the_file_and_leaves_its_neighbours(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_DEFINITIONS__CHURN_HORIZON_DAYS", "60")
    monkeypatch.setenv("LOYALTY_HOME", "/elsewhere")
    settings = load(config, definitions={"churn_horizon_days": 30, "margin_share": 0.5})
    assert settings.definitions.churn_horizon_days == 60
    assert settings.definitions.margin_share == 0.5
    assert settings.home == Path("/elsewhere")


def test_the_variable_for_the_file_is_used_unless_one_is_given(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(config)
    monkeypatch.setenv("LOYALTY_CONFIG", str(config))
    assert load_settings().business.name == "Shop"
    assert load_settings(PROJECT_ROOT / "examples" / "demo.yaml").business.name == "Demo shop"


def test_a_wrong_variable_is_refused_by_its_key(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_DEFINITIONS__CHURN_HORIZON_DAYS", "soon")
    assert "'definitions.churn_horizon_days'" in refusal(config)


def test_the_shipped_examples_load() -> None:
    examples = sorted((PROJECT_ROOT / "examples").glob("*.yaml"))
    assert {path.stem for path in examples} >= {"demo", "olist", "online_retail", "cdnow"}
    for path in examples:
        assert load_settings(path).sources


# -- the night ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2025-07-01T21:59:59+00:00", "2025-06-30"),  # 23:59:59 in Berlin: the first of July has not ended
        ("2025-07-01T22:00:00+00:00", "2025-07-01"),  # midnight in Berlin
        ("2025-01-01T22:59:59+00:00", "2024-12-31"),
        ("2025-01-01T23:00:00+00:00", "2025-01-01"),
    ],
)
def test_last_night_is_the_business_day_that_ended_last(now: str, night: str, config: Path) -> None:
    assert load(config).night(now=dt.datetime.fromisoformat(now)) == dt.date.fromisoformat(night)


def test_a_day_that_has_not_ended_is_refused(config: Path) -> None:
    now = dt.datetime(2025, 7, 1, 22, 30, tzinfo=dt.UTC)
    assert load(config).night(dt.date(2025, 7, 1), now=now) == dt.date(2025, 7, 1)
    with pytest.raises(
        SettingsError, match=r"as-of 2025-07-02 has not ended in Europe/Berlin, where it is 2025-07-02; the"
    ):
        load(config).night(dt.date(2025, 7, 2), now=now)


def test_a_day_before_the_first_night_is_refused(config: Path) -> None:
    with pytest.raises(SettingsError, match=r"as-of 2024-05-31 lies before business\.first_night \(2024-06-01\)"):
        load(config).night(dt.date(2024, 5, 31))
    assert load(config).night(dt.date(2024, 6, 1)) == dt.date(2024, 6, 1)


def test_a_night_asked_for_wins_over_the_one_set(config: Path) -> None:
    settings = load(config, as_of=dt.date(2025, 1, 1))
    assert settings.night() == dt.date(2025, 1, 1)
    assert settings.night(dt.date(2025, 1, 2)) == dt.date(2025, 1, 2)


@pytest.mark.parametrize(
    ("day", "ends_at", "hours"),
    [("2025-03-30", "2025-03-30T22:00:00+00:00", 23), ("2025-10-26", "2025-10-26T23:00:00+00:00", 25)],
)
def test_a_day_ends_at_local_midnight_also_when_the_clocks_change(
    day: str, ends_at: str, hours: int, config: Path
) -> None:
    settings, date = load(config), dt.date.fromisoformat(day)
    assert settings.ends_at(date) == dt.datetime.fromisoformat(ends_at)
    assert settings.ends_at(date) - settings.ends_at(date - dt.timedelta(days=1)) == dt.timedelta(hours=hours)


def test_the_fingerprint_knows_what_changes_a_number_and_nothing_else(config: Path) -> None:
    plain = load(config).fingerprint()
    assert (
        load(config, home="/elsewhere", as_of=dt.date(2025, 1, 1), publishing={"keep_versions": 2}).fingerprint()
        == plain
    )
    assert load(config, definitions={"margin_share": 0.31}).fingerprint() != plain


def test_a_folder_takes_its_variable_and_says_which_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOYALTY_DATA", "/data")
    assert expand_folder("${LOYALTY_DATA}/olist", tmp_path) == Path("/data/olist")
    assert expand_folder("${LOYALTY_HOME}/x", tmp_path) == tmp_path / "x"
    monkeypatch.delenv("LOYALTY_DATA")
    with pytest.raises(SettingsError, match="needs the variable LOYALTY_DATA, which is not set"):
        expand_folder("${LOYALTY_DATA}/olist", tmp_path)


def test_what_is_told_and_what_blocks_is_no_part_of_the_fingerprint(config: Path) -> None:
    plain = load(config).fingerprint()
    orders = {"files": "orders.csv", "columns": ["order_id"]}

    def with_orders(**more: Any) -> str:
        return load(config, sources={"till": {"folder": "/data", "tables": {"orders": orders | more}}}).fingerprint()

    assert load(config, waivers=[WAIVER], alerts={"remind_after_hours": 1}).fingerprint() == plain
    assert with_orders(stale_after_hours=4, maximum_quarantined_share=0.5) == plain
    assert with_orders(delimiter=";") != plain


def test_a_declaration_of_ones_own_lies_beside_the_settings(config: Path) -> None:
    """Whatever folder the command is run in; the name of a shipped one stays a name."""
    service = {"connector": "rest", "base_url": "https://api.example/", "token_variable": "T", "tables": {"orders": {}}}
    found = load(
        config, sources={"a": service | {"declaration": "mine.yaml"}, "b": service | {"declaration": "shopify"}}
    )
    told = {name: source.declaration for name, source in found.sources.items() if isinstance(source, RestSource)}
    assert told == {"a": str(config.parent / "mine.yaml"), "b": "shopify"}


def test_relative_paths_count_from_the_settings_file_wherever_the_command_is_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    till = SHOP["sources"]["till"]
    folders = {
        "beside": "exports", "above": "../exports", "fixed": "/data", "told": "${LOYALTY_DATA}/olist",
        "stored": "s3://bucket/exports",
    }  # fmt: skip
    settings = load(
        config,
        home="state",
        voice={"driver_words": "words.csv"},
        sources={name: till | {"folder": folder} for name, folder in folders.items()},
    )
    found = {name: source.folder for name, source in settings.sources.items() if isinstance(source, FileSource)}
    assert found == folders | {"beside": str(tmp_path / "exports"), "above": str(tmp_path / "../exports")}
    assert settings.home == tmp_path / "state"
    assert settings.voice.driver_words == str(tmp_path / "words.csv")
    monkeypatch.setenv("LOYALTY_HOME", "mine")
    monkeypatch.setenv("LOYALTY_DATA", "given")
    assert load_settings(config).home == elsewhere / "mine", "a variable counts from where the command is run"
    assert expand_folder(folders["told"], tmp_path) == elsewhere / "given" / "olist"


def test_a_shop_that_has_moved_or_was_renamed_is_the_same_shop(config: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    service = {"connector": "rest", "base_url": "https://api.example/", "token_variable": "T", "tables": {"orders": {}}}
    till = SHOP["sources"]["till"] | {"folder": "exports"}
    told = {
        "sources": {"till": till, "service": service | {"declaration": "mine.yaml"}},
        "voice": {"driver_words": "words.csv"},
    }
    first = load(config, **told)
    assert load(tmp_path / "moved" / "loyalty.yaml", **told).fingerprint() == first.fingerprint()
    names = {"name": "Stall", "former_names": ["Shop", "Kiosk"]}
    renamed = load(config, **told, business=SHOP["business"] | names)
    assert renamed.fingerprint() == first.fingerprint()
    assert renamed.business.names == {"Stall", "Shop", "Kiosk"}
