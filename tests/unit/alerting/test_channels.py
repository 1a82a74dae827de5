"""The channels against real servers on loopback: what arrives, and what is said when nothing does."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from servers import MailServer, certificate, mail_server, web_server

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
        assert "STARTTLS extension not supported by server; look at" in failure(
            email(server, tmp_path, security="starttls")
        )
    away = failure(email(server, tmp_path, port=closed_port()))
    assert away.endswith("Connection refused; look at `alerts.channels` in the settings")
    assert server.mails == []


# -- encrypted, with user and password: the way that settings choose unless told otherwise -----------------------------

USER, PASSWORD = "night", "a pass word = secret"


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_SMTP_USER", USER)
    monkeypatch.setenv("LOYALTY_SMTP_PASSWORD", PASSWORD)


def encrypted_email(server: MailServer, authority: Path | None, **settings: object) -> Channel:
    """The channel as it is without a word on security, trusting one authority."""
    trusted = {"authority_file": authority.name} if authority else {}
    to = {"host": "127.0.0.1", "port": server.server_address[1], "sender": "n@shop.example"}
    home = authority.parent if authority else Path()
    return channel("email", home, **{**to, "recipients": ["a@shop.example"], **trusted, **settings})


def require_kept_secret(server: MailServer, said: str = "") -> None:
    """No password in what was said, and nothing in clear but the way to encryption."""
    assert PASSWORD not in said
    assert {line.partition(" ")[0].upper() for line in server.heard_in_clear} <= {"EHLO", "STARTTLS", "QUIT"}


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_encrypted_to_a_server_that_knows_its_sender(security: str, tmp_path: Path) -> None:
    shown, authority = certificate(tmp_path)
    with mail_server(shown, is_tls=security == "tls", passwords={USER: PASSWORD}) as server:
        told = {} if security == "starttls" else {"security": security}
        encrypted_email(server, authority, **told).send(MESSAGE)
    [mail] = server.mails
    assert mail["Subject"] == SUBJECT
    assert mail.get_content().splitlines() == MESSAGE.text().splitlines()
    assert any(line.startswith("AUTH PLAIN ") for line in server.heard_encrypted)
    require_kept_secret(server)


@pytest.mark.usefixtures("login")
def test_a_wrong_password_is_told_by_its_variables_and_never_shown(tmp_path: Path) -> None:
    shown, authority = certificate(tmp_path)
    with mail_server(shown, passwords={USER: "another"}) as server:
        said = failure(encrypted_email(server, authority))
    assert said.endswith(
        "the server answered 535 to user and password; correct LOYALTY_SMTP_USER and LOYALTY_SMTP_PASSWORD"
    )
    assert server.mails == []
    require_kept_secret(server, said)


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("trusts", "address", "why"),
    [
        ("the machine's authorities", "127.0.0.1", "self-signed certificate"),
        ("another server's", "127.0.0.1", "self-signed certificate"),
        ("its own", "127.0.0.2", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_server_that_nobody_vouches_for_gets_nothing(
    security: str, trusts: str, address: str, why: str, tmp_path: Path
) -> None:
    shown, authority = certificate(tmp_path, address)
    (tmp_path / "other").mkdir()
    _, others = certificate(tmp_path / "other")
    trusted = {"its own": authority, "another server's": others}.get(trusts)
    with mail_server(shown, is_tls=security == "tls", passwords={USER: PASSWORD}) as server:
        said = failure(encrypted_email(server, trusted, security=security))
    assert f"the server's certificate is not trusted ({why}), so nothing was sent; name the server as its " in said
    assert (server.mails, server.heard_encrypted) == ([], [])
    require_kept_secret(server, said)


@pytest.mark.usefixtures("login")
def test_a_server_that_cannot_encrypt_gets_no_password(tmp_path: Path) -> None:
    with mail_server(passwords={USER: PASSWORD}) as server:
        said = failure(encrypted_email(server, None))
        assert "STARTTLS extension not supported by server; look at `alerts.channels` in the settings" in said
        in_clear = failure(encrypted_email(server, None, security="none"))
        assert in_clear.endswith(
            "with `security: none` the password would be sent in clear; choose starttls or tls, "
            "or leave LOYALTY_SMTP_USER unset"
        )
    assert server.mails == []
    require_kept_secret(server, said + in_clear)


@pytest.mark.usefixtures("login")
def test_a_server_that_knows_no_passwords_is_named(tmp_path: Path) -> None:
    shown, authority = certificate(tmp_path)
    with mail_server(shown) as server:
        assert "SMTP AUTH extension not supported by server" in failure(encrypted_email(server, authority))
    assert server.mails == []


@pytest.mark.parametrize(
    ("written", "said"), [(None, "No such file or directory"), ("not PEM", "it holds no certificate in PEM")]
)
def test_an_authority_file_that_cannot_be_read_is_named(written: str | None, said: str, tmp_path: Path) -> None:
    if written:
        (tmp_path / "authority.pem").write_text(written, encoding="utf-8")
    with mail_server() as server:
        sender = encrypted_email(server, tmp_path / "authority.pem")
    assert failure(sender).endswith(f"`authority_file` authority.pem cannot be read: {said}; correct it")


def test_a_password_that_is_not_set_or_cannot_be_sent_is_asked_for_by_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOYALTY_SMTP_USER", "shop")
    shown, authority = certificate(tmp_path)
    with mail_server(shown) as server:
        sender = encrypted_email(server, authority)
        assert "variable LOYALTY_SMTP_PASSWORD is not set" in failure(sender)
        monkeypatch.setenv("LOYALTY_SMTP_PASSWORD", "Käse")
        said = failure(sender)
    assert "LOYALTY_SMTP_USER or LOYALTY_SMTP_PASSWORD holds letters beyond ASCII, which SMTP cannot send" in said
    assert "Käse" not in said
    assert server.heard_in_clear == []


def test_a_heartbeat_address_is_asked_for_and_nothing_is_posted(tmp_path: Path) -> None:
    with web_server() as server:
        call("heartbeat", f"{server.address}/alive")
    assert (server.asked, server.posted) == (["/alive"], [])
