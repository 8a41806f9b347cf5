"""Pictures from a server on this machine for `build_wit`, which takes them from the public internet alone.

As a program it is `ccalign`, in which every host is this machine.
"""

import contextlib
import io
import threading
import time
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = "127.0.0.1"
SECONDS = 0.01  # an answer takes


@cache
def picture(name: str) -> bytes:
    """A picture whose colour tells its name."""
    from PIL import Image

    number = sum(map(ord, name))
    Image.new("RGB", (8 + number % 5, 8), (number % 256, 30, 90)).save(file := io.BytesIO(), "png")
    return file.getvalue()


class Pictures(BaseHTTPRequestHandler):
    """A picture at every path."""

    def do_GET(self) -> None:
        content = picture(self.path)
        time.sleep(SECONDS)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the other side was killed
            super().handle()


@cache
def serve() -> str:
    """The address of a server that runs as long as this process."""
    server = ThreadingHTTPServer((HERE, 0), Pictures)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://images.test:{server.server_port}"


if __name__ == "__main__":
    from ccalign_jax.cli.main import main
    from ccalign_jax.wit import download

    download.Network = partial(download.Network, resolve=lambda host, port: [HERE], allowed=frozenset({HERE}))  # type: ignore
    main()
