"""A page for this machine alone: bound to 127.0.0.1, behind a random address, with nothing but what it is made of.

Whoever asks must know the token in the address, so that other users and other pages learn nothing; must name this
machine as its host, so that no name of elsewhere can be pointed here; and may only GET. Images are served by number.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ccalign_jax.errors import InputError, reason
from ccalign_jax.search.page import SearchPage, to_json
from ccalign_jax.search.searcher import Searcher

__all__ = ["SearchServer", "serve"]

HOST = "127.0.0.1"
MAX_REQUEST = 16384  # bytes of a request, with its headers
MAX_SECONDS = 20.0  # that a request may take to arrive
MAX_CLIENTS = 32  # at one time; of more, connections are closed
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class SearchServer(ThreadingHTTPServer):
    """Serves one page.

    Args:
        page: what it answers with.
        port: 0 takes any that is free.

    Raises:
        InputError: the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, page: SearchPage, *, port: int = 0):
        self.page, self.token = page, secrets.token_urlsafe(24)
        self._clients = threading.BoundedSemaphore(MAX_CLIENTS)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise InputError(f"--port={port}: {reason(error)}; give another, or leave it out") from None

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, unless there are too many."""
        if not self._clients.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for another client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._clients.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no matter, and what a request made fail was answered."""


class _Handler(BaseHTTPRequestHandler):
    server: SearchServer
    server_version, sys_version = "ccalign", ""
    timeout = 5.0  # seconds without a byte

    def setup(self) -> None:
        super().setup()
        self.rfile = _Limited(self.rfile)  # type: ignore[assignment]

    def do_GET(self) -> None:
        if self.rfile.exceeded:  # type: ignore[attr-defined]
            return self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        hosts = [[f"{name}:{self.server.server_port}"] for name in (HOST, "localhost")]
        if (self.headers.get_all("Host") or []) not in hosts:
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST)
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        url = urlsplit(self.path)
        root, token, *rest = url.path.split("/")
        if root or not secrets.compare_digest(token.encode("latin-1", "replace"), self.server.token.encode()):
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            answer = self._route(rest, url.query)
        except InputError as error:
            return self._send(HTTPStatus.BAD_REQUEST, "application/json; charset=utf-8", to_json({"error": str(error)}))
        except Exception as error:  # of the encoder or the device: the page says so, and goes on
            content = to_json({"error": f"{type(error).__name__}: {reason(error)}"})
            return self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json; charset=utf-8", content)
        return answer() if answer is not None else self._refuse(HTTPStatus.NOT_FOUND)

    def _refuse_method(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, Allow="GET")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse_method

    def _route(self, parts: list[str], query: str) -> Callable[[], None] | None:
        page = self.server.page
        if parts == [""]:
            nonce = secrets.token_urlsafe(16)
            content = page.document(nonce)
            policy = {"Content-Security-Policy": POLICY.format(nonce=nonce)}
            return lambda: self._send(HTTPStatus.OK, "text/html; charset=utf-8", content, **policy)
        if parts == ["search"]:
            given = parse_qs(query, keep_blank_values=True, max_num_fields=8, errors="surrogateescape")
            found = to_json(page.answer(given.get("q", [""])[0], given.get("language", [""])[0] or None))
            return lambda: self._send(HTTPStatus.OK, "application/json; charset=utf-8", found)
        if len(parts) == 2 and parts[0] == "image" and parts[1].isascii() and parts[1].isdecimal():
            picture = page.thumbnail(int(parts[1][:18]))
            return None if picture is None else lambda: self._send(HTTPStatus.OK, "image/jpeg", picture)
        return None

    def _refuse(self, status: HTTPStatus, **headers: str) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{status.value} {status.phrase}\n".encode(), **headers)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: requests that are no HTTP, or have too many headers."""
        self._refuse(HTTPStatus(code))

    def _send(self, status: HTTPStatus, kind: str, content: bytes, **headers: str) -> None:
        self.close_connection, self.request_version = True, "HTTP/1.0"  # of 0.9 no headers would be sent
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Security-Policy": "default-src 'none'", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Queries are nobody's business."""


class _Limited:
    """A stream of which some bytes can be read, for some seconds."""

    def __init__(self, stream: Any):
        self._stream, self._left, self._until = stream, MAX_REQUEST, time.monotonic() + MAX_SECONDS
        self.exceeded = False

    def readline(self, size: int = -1) -> bytes:
        """A line, or what is left of the limit; nothing once it is exceeded."""
        if self._left <= 0 or time.monotonic() > self._until:
            self.exceeded = True
            return b""
        found = self._stream.readline(self._left if size < 0 else min(size, self._left))
        self._left -= len(found)
        if not found.endswith(b"\n"):
            self.exceeded = self._left <= 0
        return found

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def serve(searcher: Searcher, *, port: int = 0, language: str | None = None, top: int = 10) -> None:
    """Serve the page until a signal ends the process, and print its address.

    Args:
        searcher: what is searched.
        port: 0 takes any that is free.
        language: of all queries; None guesses it.
        top: images and captions to show.

    Raises:
        InputError: the port is taken.
    """
    with SearchServer(SearchPage(searcher, language=language, top=top), port=port) as server:
        print(f"search: {server.address}\nfor this machine alone; Ctrl-C ends it", flush=True)
        server.serve_forever()
