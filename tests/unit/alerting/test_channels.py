"""The channels against real servers on loopback: what arrives, and what is said when nothing does."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from servers import MailServer, mail_server, web_server

from dagster_project.alerting.channels import Channel, ChannelFailed, call, channels_of
from dagster_project.alerting.messages import Alert, Message
from dagster_project.oversight import Alerts

ALERT = Alert("check:marts.a:b", "check b failed on <a> & co", "3 failing rows. It matters.")
MESSAGE = Message(7, "2026-01-02T03:04:05+00:00", "Käse & Söhne", (ALERT,), ("feed x is stale",))
SUBJECT = "[Käse & Söhne] CRITICAL: check b failed on <a> & co"


def channel(kind: str, home: Path, **settings: object) -> Channel:
    [made] = channels_of(Alerts.model_validate({"channels": [{"kind": kind, **settings}]}), home)
    return made


def email(server: MailServer, home: Path, **settings: object) -> Channel:
    to = {"host": "127.0.0.1", "port": server.server_address[1], "security": "none", "sender": "n@shop.example"}
    return channel("email", home, **{**to, "recipients": ["a@shop.example", "b@shop.example"], **settings})


def failure(sender: Channel) -> str:
    with pytest.raises(ChannelFailed) as caught:
        sender.send(MESSAGE)
    return str(caught.value)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_file_gets_one_line_of_json_a_message(tmp_path: Path) -> None:
    lines = channel("file", tmp_path, path="deep/alerts.jsonl")
    lines.send(MESSAGE)
    lines.send(MESSAGE)
    first, second = (tmp_path / "deep" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    assert first == second
    assert json.loads(first)["subject"] == SUBJECT
    assert json.loads(first)["alerts"] == [
        {"key": ALERT.key, "severity": "critical", "title": "check b failed on <a> & co"}
    ]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "alerts.jsonl").mkdir()
    assert "alerts.jsonl cannot be written: Is a directory; correct its path" in failure(
        channel("file", tmp_path, path="alerts.jsonl")
    )


def test_a_webhook_is_posted_json_that_chat_services_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as server:
        monkeypatch.setenv("SHOP_HOOK", server.address)
        channel("webhook", tmp_path, url_variable="SHOP_HOOK").send(MESSAGE)
    [body] = server.posted
    assert body["text"] == (
        "*[Käse &amp; Söhne] CRITICAL: check b failed on &lt;a&gt; &amp; co*\n"
        "CRITICAL: check b failed on &lt;a&gt; &amp; co\n3 failing rows. It matters.\n\nWELL AGAIN: feed x is stale"
    )
    assert (body["number"], body["recovered"]) == (7, ["feed x is stale"])


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_counts_only_an_answer_of_success(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server() as server:
        server.status = status
        monkeypatch.setenv("LOYALTY_WEBHOOK_URL", f"{server.address}/secret")
        said = failure(channel("webhook", tmp_path))
    assert said == (
        f"webhook of LOYALTY_WEBHOOK_URL answered {status}; expected 200 to 299: is the address still valid?"
    )
    assert (len(server.posted), server.asked) == (1, [])


def test_a_webhook_that_cannot_be_reached_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = channel("webhook", tmp_path)
    monkeypatch.delenv("LOYALTY_WEBHOOK_URL", raising=False)
    assert failure(hook).endswith("variable LOYALTY_WEBHOOK_URL is not set; set it where Dagster and `loyalty` run")
    monkeypatch.setenv("LOYALTY_WEBHOOK_URL", f"http://127.0.0.1:{closed_port()}/secret")
    assert failure(hook) == "webhook of LOYALTY_WEBHOOK_URL cannot be reached (Connection refused)"
    monkeypatch.setenv("LOYALTY_WEBHOOK_URL", "file:///etc/passwd")
    assert failure(hook).endswith("its address begins with neither http:// nor https://; correct it")


def test_a_mail_arrives_whole_for_every_recipient(tmp_path: Path) -> None:
    with mail_server() as server:
        email(server, tmp_path).send(MESSAGE)
    [mail] = server.mails
    assert server.envelopes == [("n@shop.example", ["a@shop.example", "b@shop.example"])]
    assert mail["Subject"] == SUBJECT
    assert mail["To"] == "a@shop.example, b@shop.example"
    assert mail["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    assert mail["Message-ID"] == "<loyalty.7.20260102T0304050000@shop.example>"
    assert mail.get_content().splitlines() == MESSAGE.text().splitlines()


def test_a_mail_that_one_recipient_does_not_get_is_a_failure(tmp_path: Path) -> None:
    with mail_server() as server:
        server.refused = {"b@shop.example"}
        assert "the server refuses b@shop.example" in failure(email(server, tmp_path))
        server.refused = {"a@shop.example", "b@shop.example"}
        assert "the server refuses a@shop.example, b@shop.example" in failure(email(server, tmp_path))


def test_a_mail_server_that_is_ill_or_away_or_without_encryption_is_named(tmp_path: Path) -> None:
    with mail_server() as server:
        server.is_ill = True
        assert "the server answered 451" in failure(email(server, tmp_path))
        assert "SMTPNotSupportedError" in failure(email(server, tmp_path, security="starttls"))
    away = failure(email(server, tmp_path, port=closed_port()))
    assert away.endswith("Connection refused; look at `alerts.channels` in the settings")
    assert server.mails == []


def test_a_password_that_is_not_set_is_asked_for_by_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_SMTP_USER", "shop")
    with mail_server() as server:
        assert "variable LOYALTY_SMTP_PASSWORD is not set" in failure(email(server, tmp_path))


def test_a_heartbeat_address_is_asked_for_and_nothing_is_posted(tmp_path: Path) -> None:
    with web_server() as server:
        call("heartbeat", f"{server.address}/alive")
    assert (server.asked, server.posted) == (["/alive"], [])
