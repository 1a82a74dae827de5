"""A mail server and a web server on loopback that keep what they are sent, and answer as told.

What belongs here: as much of SMTP (RFC 5321) and HTTP as a client that sends a message needs, over real sockets.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail for everybody but those in `refused`; says 451 to all data while `is_ill`.

    Args:
        encryption: the certificate that the server shows, over STARTTLS or, with `is_tls`, from the first byte; none
            makes a server that cannot encrypt.
        is_tls: see there.
        passwords: by user; with any, mail is taken only from who has logged in, which is offered only when encrypted.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        encryption: ssl.SSLContext | None = None,
        *,
        is_tls: bool = False,
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.refused: set[str] = set()
        self.is_ill = False
        self.encryption, self.is_tls, self.passwords = encryption, is_tls, passwords or {}
        self.heard_in_clear: list[str] = []
        self.heard_encrypted: list[str] = []
        super().__init__(("127.0.0.1", 0), _MailSession)

    def handle_error(self, *_: Any) -> None:
        """A client that refuses the certificate hangs up."""


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def setup(self) -> None:
        super().setup()
        self.is_encrypted = self.is_known = False
        if self.server.is_tls:
            self._encrypt()

    def handle(self) -> None:
        sender, recipients = "", []
        self._say("220 loopback")
        while line := self.rfile.readline():
            text = line.decode().strip()
            (self.server.heard_encrypted if self.is_encrypted else self.server.heard_in_clear).append(text)
            word, _, rest = text.partition(" ")
            address = rest.partition("<")[2].partition(">")[0]
            if self._extended(word.upper(), rest):
                continue
            match word.upper():
                case "MAIL" if self.server.passwords and not self.is_known:
                    self._say("530 who are you?")
                case "MAIL":
                    sender = address
                    self._say("250 ok")
                case "RCPT" if address in self.server.refused:
                    self._say("550 no such box")
                case "RCPT":
                    recipients.append(address)
                    self._say("250 ok")
                case "DATA" if self.server.is_ill:
                    self._say("451 come back later")
                case "DATA":
                    self._say("354 go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.envelopes.append((sender, recipients))
                    self.server.mails.append(message_from_bytes(content, policy=policy.default))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case "RSET":
                    self._say("250 ok")
                case _:
                    self._say("502 unknown")

    def _extended(self, word: str, rest: str) -> bool:
        """Answer what goes beyond plain mail: what is offered, encryption, a login; False for other words."""
        if word == "EHLO":
            for offered in ("loopback", *self._offers()):
                self._say(f"250-{offered}")
            self._say("250 HELP")
        elif word == "STARTTLS" and self._offers() == ["STARTTLS"]:
            self._say("220 go on")
            self._encrypt()
        elif word == "AUTH" and self._offers() == ["AUTH PLAIN"]:
            _, user, password = base64.b64decode(rest.removeprefix("PLAIN ")).decode().split("\0")
            self.is_known = self.server.passwords.get(user) == password
            self._say("235 known" if self.is_known else f"535 {user} with {password} is unknown")
        else:
            return False
        return True

    def _offers(self) -> list[str]:
        if self.is_encrypted:
            return ["AUTH PLAIN"] if self.server.passwords else []
        return ["STARTTLS"] if self.server.encryption else []

    def _encrypt(self) -> None:
        assert self.server.encryption is not None
        self.connection = self.server.encryption.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.is_encrypted = True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@dataclass
class WebServer:
    """What was posted and asked, and the answer that is given next."""

    address: str = ""
    posted: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    status: int = 200


@contextmanager
def mail_server(encryption: ssl.SSLContext | None = None, **settings: Any) -> Iterator[MailServer]:
    with MailServer(encryption, **settings) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@contextmanager
def web_server() -> Iterator[WebServer]:
    kept = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer()

        def do_GET(self) -> None:
            kept.asked.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(kept.status)
            if 300 <= kept.status < 400:
                self.send_header("Location", f"{kept.address}/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield kept
        server.shutdown()


def certificate(folder: Path, address: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A self-signed certificate of a server at an address: what the server shows, and the file that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server of tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown = folder / f"server_{address}.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    trusted = folder / f"authority_{address}.pem"
    trusted.write_bytes(made.public_bytes(pem))
    shown.write_bytes(private + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    return context, trusted
