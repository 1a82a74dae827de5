"""A local HTTP server that answers in pages of JSON as shops' and survey tools' services do, faults included.

What belongs here: pages, links, tokens, faults. What does not: what is made of the answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class PagedService:
    """Rows in the order of their cursor, given page by page under `/orders.json` and `/surveys/.../bulk`.

    Attributes:
        rows: the rows, as JSON has them, kept in the order of `cursor`.
        page_size: rows on a page, whatever the client asks for.
        token: what the client must show.
        faults: number of a request, from 1, and the answer that it gets instead.
        asked: path and parameters of each request.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    cursor: str = "updated_at"
    page_size: int = 2
    token: str = "secret-word"  # noqa: S105
    faults: dict[int, Answer | Callable[[], Answer | None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[PagedService]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = service.answer(self.path, dict(self.headers.items()))
                self.send_response(status)
                for name, text in ({"Content-Type": "application/json"} | headers).items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, address: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(address)
        given = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
        self.asked.append((parts.path, given))
        fault = self.faults.get(len(self.asked))
        fault = fault() if callable(fault) else fault
        if fault is not None:
            return fault
        shown = headers.get("X-Shopify-Access-Token") or headers.get("Authorization", "").removeprefix("Bearer ")
        if shown != self.token:
            return 401, {}, b'{"errors": "[API] Invalid API key or access token"}'
        return self._page(parts.path, given)

    def _page(self, path: str, given: dict[str, str]) -> Answer:
        since = given.get("updated_at_min") or given.get("start_modified_at") or ""
        rows = [row for row in self.rows if row[self.cursor] >= since]
        start = int(given.get("page_info", 0))
        page, rest = rows[start : start + self.page_size], rows[start + self.page_size :]
        further = {"page_info": start + self.page_size} | ({"updated_at_min": since} if since else {})
        link = f"{self.url.rstrip('/')}{path}?{urlencode(further)}"
        if path.endswith("/bulk"):
            return 200, {}, written({"data": page, "links": {"next": link} if rest else {}})
        return 200, {"Link": f'<{link}>; rel="next"'} if rest else {}, written({"orders": page})


def written(page: Any) -> bytes:
    """As a service writes it: amounts with two digits, which a float would lose."""
    return json.dumps(page).replace('"19.90"', "19.90").encode()
