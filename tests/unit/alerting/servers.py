"""A mail server and a web server on loopback that keep what they are sent, and answer as told.

What belongs here: as much of SMTP (RFC 5321) and HTTP as a client that sends a message needs, over real sockets.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail for everybody but those in `refused`; says 451 to all data while `is_ill`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.refused: set[str] = set()
        self.is_ill = False
        super().__init__(("127.0.0.1", 0), _MailSession)


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        sender, recipients = "", []
        self._say("220 loopback")
        for line in iter(self.rfile.readline, b""):
            word, _, rest = line.decode().strip().partition(" ")
            address = rest.partition("<")[2].partition(">")[0]
            match word.upper():
                case "EHLO":
                    self._say("250 loopback")
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
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
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
