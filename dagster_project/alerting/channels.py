"""The ways to the people: a file, a webhook, an e-mail. Each sends one message or raises.

What belongs here: protocols and their failures. An error names the channel and never an address that is a secret.
What does not: which messages there are and whether one was sent already (`outbox.py`).
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol

from dagster_project.alerting.messages import Message
from dagster_project.oversight import Alerts, ChannelSettings, EmailChannel, FileChannel, WebhookChannel

SECONDS_TO_WAIT = 10.0  # a look comes every minute, and a dead server must not delay the next


class ChannelFailed(RuntimeError):
    """A message was not sent; the text names the channel, what was found and what to do."""


class Channel(Protocol):
    """A way to send a message."""

    @property
    def name(self) -> str:
        """What names the channel from one look to the next; no secret."""

    def send(self, message: Message) -> None:
        """Send it, or raise ChannelFailed."""


def channels_of(alerts: Alerts, home: Path) -> list[Channel]:
    """The channels of a shop, in the order of its settings."""
    return [_channel(chosen, home) for chosen in alerts.channels]


def _channel(chosen: ChannelSettings, home: Path) -> Channel:
    if isinstance(chosen, FileChannel):
        return FileLines(home / chosen.path)
    return Webhook(chosen) if isinstance(chosen, WebhookChannel) else Email(chosen, home)


@dataclass(frozen=True)
class FileLines:
    """A file that gets one line of JSON a message."""

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return f"file {self.path}"

    def send(self, message: Message) -> None:
        """Add the line, on disk to stay."""
        line = json.dumps({"subject": message.subject, **message.payload(), "text": message.text()})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")
                lines.flush()
                os.fsync(lines.fileno())
        except OSError as fault:
            raise ChannelFailed(f"{self.name} cannot be written: {fault.strerror}; correct its path") from None


@dataclass(frozen=True)
class Webhook:
    """An address that takes JSON."""

    settings: WebhookChannel

    @property
    def name(self) -> str:
        """The variable that holds the address."""
        return f"webhook of {self.settings.url_variable}"

    def send(self, message: Message) -> None:
        """Post the message; only an answer of 200 to 299 counts."""
        call(self.name, secret(self.settings.url_variable, self.name), message.payload())


@dataclass(frozen=True)
class Email:
    """A mail server."""

    settings: EmailChannel
    home: Path

    @property
    def name(self) -> str:
        """Server and recipients."""
        return f"e-mail by {self.settings.host}:{self.settings.port} to {', '.join(self.settings.recipients)}"

    def send(self, message: Message) -> None:
        """Hand the message to the server for all recipients; one that the server refuses is a failure."""
        trusted = self._trusted()
        login = self._login()
        try:
            with self._server(trusted) as server:
                if login:
                    server.login(*login)
                refused = server.send_message(self._mail(message))
        except smtplib.SMTPAuthenticationError as fault:
            variables = f"{self.settings.user_variable} and {self.settings.password_variable}"
            raise ChannelFailed(
                f"{self.name}: the server answered {fault.smtp_code} to user and password; correct {variables}"
            ) from None
        except ssl.SSLCertVerificationError as fault:
            raise ChannelFailed(
                f"{self.name}: the server's certificate is not trusted ({fault.verify_message}), so nothing was sent; "
                "name the server as its certificate does, and in `authority_file` the authority that issued it"
            ) from None
        except (OSError, smtplib.SMTPException) as fault:
            raise ChannelFailed(
                f"{self.name}: {_smtp_fault(fault)}; look at `alerts.channels` in the settings"
            ) from None
        if refused:
            raise ChannelFailed(f"{self.name}: the server refuses {', '.join(sorted(refused))}; correct the recipients")

    def _login(self) -> tuple[str, str] | None:
        """User and password, where there is a user; never for a line that anybody on the way can read."""
        user = os.environ.get(self.settings.user_variable)
        if not user:
            return None
        if self.settings.security == "none":
            raise ChannelFailed(
                f"{self.name}: with `security: none` the password would be sent in clear; "
                f"choose starttls or tls, or leave {self.settings.user_variable} unset"
            )
        password = secret(self.settings.password_variable, self.name)
        if not (user + password).isascii():
            raise ChannelFailed(
                f"{self.name}: {self.settings.user_variable} or {self.settings.password_variable} holds letters "
                "beyond ASCII, which SMTP cannot send; choose another"
            )
        return user, password

    def _trusted(self) -> ssl.SSLContext:
        file = self.settings.authority_file
        try:
            return ssl.create_default_context(cafile=str(self.home / file) if file else None)
        except OSError as fault:
            reason = "it holds no certificate in PEM" if isinstance(fault, ssl.SSLError) else fault.strerror
            raise ChannelFailed(f"{self.name}: `authority_file` {file} cannot be read: {reason}; correct it") from None

    @contextmanager
    def _server(self, trusted: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
        at = (self.settings.host, self.settings.port)
        if self.settings.security == "tls":
            with smtplib.SMTP_SSL(*at, timeout=SECONDS_TO_WAIT, context=trusted) as server:
                yield server
            return
        with smtplib.SMTP(*at, timeout=SECONDS_TO_WAIT) as server:
            if self.settings.security == "starttls":
                server.starttls(context=trusted)
            yield server

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(self.settings.recipients)
        mail["Date"] = format_datetime(datetime.fromisoformat(message.made_at))
        # a message sent twice has one id, by which mail servers drop the second
        domain = parseaddr(self.settings.sender)[1].rpartition("@")[2]
        stamp = "".join(character for character in message.made_at if character.isalnum())
        mail["Message-ID"] = f"<loyalty.{message.number}.{stamp}@{domain}>"
        mail.set_content(message.text() + "\n")
        return mail


def secret(variable: str, channel: str) -> str:
    """What a variable of the environment holds.

    Raises:
        ChannelFailed: it is not set.
    """
    found = os.environ.get(variable)
    if not found:
        raise ChannelFailed(f"{channel}: variable {variable} is not set; set it where Dagster and `loyalty` run")
    return found


def call(name: str, url: str, payload: dict[str, Any] | None = None) -> None:
    """Call a web address, with a JSON body or with none.

    Raises:
        ChannelFailed: the address is none of http or https, nobody answers, or the answer is not 200 to 299.
    """
    if not url.startswith(("http://", "https://")):
        raise ChannelFailed(f"{name}: its address begins with neither http:// nor https://; correct it")
    body = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with _OPENER.open(request, timeout=SECONDS_TO_WAIT) as answer:
            answer.read()
    except urllib.error.HTTPError as fault:
        fault.close()
        raise ChannelFailed(f"{name} answered {fault.code}; expected 200 to 299: is the address still valid?") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", None) or type(fault).__name__
        raise ChannelFailed(f"{name} cannot be reached ({getattr(reason, 'strerror', None) or reason})") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A post that is redirected would arrive as a request without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No: the redirect is then the answer, which is no success."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _smtp_fault(fault: Exception) -> str:
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return f"the server refuses {', '.join(sorted(fault.recipients))}"
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"the server answered {fault.smtp_code}"
    if isinstance(fault, smtplib.SMTPNotSupportedError):  # the library's own words: STARTTLS or AUTH
        return str(fault).rstrip(".")
    return getattr(fault, "strerror", None) or type(fault).__name__
