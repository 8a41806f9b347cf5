"""Small TSV files as WIT has them, and a web server that misbehaves."""

import gzip
import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from ccalign_jax.wit.addresses import Network

COLUMNS = (
    "language", "page_url", "image_url", "page_title", "section_title", "hierarchical_section_title",
    "caption_reference_description", "caption_attribution_description", "caption_alt_text_description", "mime_type",
    "original_height", "original_width", "is_main_image", "attribution_passes_lang_id", "page_changed_recently",
    "context_page_description", "context_section_description",
)  # fmt: skip


@pytest.fixture(scope="session")
def line() -> Callable[..., str]:
    """`line("de", "Hund", "dog", reference="ein Hund")` is a line: a use of an image on a page, with its captions."""

    def write(language, page, image, reference="", attribution="", alt="", own="true", mime="image/jpeg") -> str:
        cells = dict.fromkeys(COLUMNS, "") | {
            "language": language,
            "page_url": f"https://{language}.example.org/wiki/{page}",
            "image_url": f"https://images.example.org/{image}" if ":" not in image else image,
            "caption_reference_description": reference,
            "caption_attribution_description": attribution,
            "caption_alt_text_description": alt,
            "mime_type": mime,
            "attribution_passes_lang_id": own,
            "context_page_description": 'a single " in a cell',
        }
        return "\t".join(cells.values())

    return write


@pytest.fixture
def tsv(tmp_path) -> Callable[..., Path]:
    """`tsv(line, ..., name=)` is a file of these lines below a header; gzip if the name says so."""

    def write(*lines: str, name: str = "wit.tsv", header: str = "\t".join(COLUMNS)) -> Path:
        content = "".join(f"{each}\n" for each in (header, *lines)).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def png(width: int = 4, height: int = 3) -> bytes:
    """A picture; one of very many pixels is a header and no more."""
    if width * height < 1 << 20:
        Image.new("RGB", (width, height), (200, 30, 90)).save(file := io.BytesIO(), "png")
        return file.getvalue()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")))
    parts = [
        struct.pack(">I", len(each)) + kind + each + struct.pack(">I", zlib.crc32(kind + each)) for kind, each in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class Handler(BaseHTTPRequestHandler):
    """Answers as the path asks for."""

    server: "Server"

    def do_GET(self) -> None:
        name, server = self.path.strip("/").rpartition("/")[2], self.server
        with server.lock:
            server.seen.append((self.headers["Host"].partition(":")[0], name, self.headers["User-Agent"]))
            server.busy += 1
            server.most = max(server.most, server.busy)
            first = sum(each == name for _, each, _ in server.seen) == 1
        self.done = False
        try:
            self._answer(name, first)
        except ConnectionError:
            pass
        finally:
            self._finish()

    def _finish(self) -> None:
        """Count this answer as given, before its last byte: the client's next question may come before we go on."""
        with self.server.lock:
            self.server.busy -= not self.done
        self.done = True

    def _answer(self, name: str, first: bool) -> None:
        to = {
            "redirect": "/good",
            "loop": "/loop",
            "other_loopback": f"http://127.0.0.2:{self.server.server_port}/good",
            "private": "http://10.0.0.1/good",
            "metadata": "http://169.254.169.254/good",
            "mapped": "http://[::ffff:127.0.0.1]/good",
            "renamed": "http://rebound.test/good",
            "file": "file:///etc/passwd",
        }
        if name in to:
            self._send(b"", status=302, Location=to[name])
        elif name in ("busy", "busy_date", "busy_long") and first:
            date = formatdate(self.server.date + 90, usegmt=True)
            wait = {"busy": "120", "busy_date": date, "busy_long": "86400"}[name]
            self._send(b"", status=429, **{"Retry-After": wait})
        elif name == "error" and first:
            self._send(b"", status=500)
        elif name == "missing":
            self._send(b"", status=404)
        elif name == "html":
            self._send(b"<html>", kind="text/html; charset=utf-8")
        elif name == "html_as_image":
            self._send(b"<html>")
        elif name == "svg":
            self._send(b"<svg/>", kind="image/svg+xml")
        elif name == "damaged":
            self._send(png(64, 64)[:-30])
        elif name == "cut":
            self._send(png()[:20], **{"Content-Length": "4000"})
        elif name == "declared_huge":
            self._send(png(), **{"Content-Length": str(1 << 40)})
        elif name == "endless":
            self._send(b"", **{"Content-Length": None})
            while True:
                self.wfile.write(bytes(1 << 16))
        elif name in ("slow", "slow_header"):
            self.wfile.write(b"HTTP/1.0 200 OK\r\n" + b"Content-Type: image/png\r\n\r\n" * (name == "slow"))
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)
        elif name == "gzip":
            self._send(gzip.compress(png()), **{"Content-Encoding": "gzip"})
        elif name == "robots":
            self._send(png(), **{"X-Robots-Tag": "noindex, noai"})
        elif name == "many_pixels":
            self._send(png(30000, 30000))
        elif name == "some_pixels":
            self._send(png(9000, 9950))
        else:
            time.sleep(self.server.delay)
            self._send(png())

    def _send(self, content: bytes, *, status: int = 200, kind: str = "image/png", **headers: str | None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        self._finish()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    """A web server that misbehaves as the last part of a path says.

    Attributes:
        seen: host, name and user agent of every request.
        most: requests that were answered at once.
        delay: seconds before an image.
        date: for headers, in seconds since 1970.
    """

    daemon_threads, block_on_close = True, False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, str]] = []
        self.busy, self.most, self.delay, self.date = 0, 0, 0.0, 1_900_000_000

    def url(self, name: str, host: str = "images.test") -> str:
        return f"http://{host}:{self.server_port}/{name}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A `Server` on this machine, in a thread."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def network() -> Callable[..., Network]:
    """`network(names)` reaches the addresses of these names, by default 127.0.0.1, which is allowed."""

    def make(names: dict[str, str] | None = None, **options: object) -> Network:
        found = {"images.test": "127.0.0.1", "other.test": "127.0.0.1", "rebound.test": "10.1.2.3", **(names or {})}
        reach = {"resolve": lambda host, port: [found.get(host, host)], "allowed": frozenset({"127.0.0.1"})}
        return Network("tests/1 (tests@example.org)", **{**reach, **options})

    return make
