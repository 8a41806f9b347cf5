"""One image over HTTP: redirects, limits of time, size and type, and what went wrong in words."""

from __future__ import annotations

import email.utils
import http.client
import io
import socket
import ssl
import time
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ccalign_jax._libraries import import_library
from ccalign_jax.wit.addresses import Network, Refused, send_request
from ccalign_jax.wit.options import DownloadConfig

__all__ = ["FetchError", "Image", "bombs_raise", "check_image", "fetch_image", "retry_after"]

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
BUSY = (429, 503)  # the host is, not only this image
PASSING = (408, 425, 500, 502, 504)
NO_AI = ("noai", "noimageai")
UNKNOWN = ("application/octet-stream", "binary/octet-stream")  # types that say nothing
CHUNK = 1 << 16
KEPT = "%/:=&?~+!$,;'@()*[]"  # signs of a path or query that are left as they are
FORMATS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp", "MPO": ".jpg"}


class Image(NamedTuple):
    """A downloaded image: the bytes of its file, and the suffix that its contents tell."""

    content: bytes
    suffix: str


class FetchError(Exception):
    """Why an image was not downloaded.

    Attributes:
        reason: in a few words.
        again: trying again may help.
        host: nothing else of this host can be expected meanwhile, either.
        silent: the host did not answer at all.
        wait: seconds that it asks to wait.
    """

    def __init__(
        self, reason: str, *, again: bool = False, host: bool = False, silent: bool = False, wait: float = 0.0
    ):
        super().__init__(reason)
        self.reason, self.again, self.host, self.silent, self.wait = reason, again, host, silent, wait


def fetch_image(url: str, *, network: Network, limits: DownloadConfig, now: Callable[[], float] = time.time) -> Image:
    """Download one image, and decode it to see that it is whole.

    Args:
        url: its address.
        network: how hosts are reached.
        limits: of time, bytes and pixels.
        now: seconds since 1970, for dates in `Retry-After`.

    Raises:
        FetchError: why there is no image.
    """
    deadline = network.clock() + limits.timeout
    for _ in range(MOST_REDIRECTS + 1):
        with _reasons():
            scheme, host, port, path = _parts(url)
            with send_request(scheme, host, port, path, network=network, deadline=deadline) as response:
                if response.status not in REDIRECTS:
                    return check_image(_body(response, limits, now()), limits)
        url = urllib.parse.urljoin(url, response.headers.get("Location", ""))
    raise FetchError(f"more than {MOST_REDIRECTS} redirects")


@contextmanager
def _reasons() -> Iterator[None]:
    """Errors of the network in words."""
    try:
        yield
    except Refused as error:
        raise FetchError(str(error)) from error
    except TimeoutError as error:
        raise FetchError("no answer in time", again=True, silent=True) from error
    except socket.gaierror as error:
        raise FetchError("no such host", again=True, silent=True) from error
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"certificate not valid ({error.verify_message})") from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise FetchError(f"no answer ({type(error).__name__})", again=True, silent=True) from error


def _parts(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path with query of an http or https address."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise FetchError("not an address") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise FetchError("not an http or https address")
    path = urllib.parse.quote(parts.path or "/", safe=KEPT)
    return parts.scheme, host, port, path + ("?" + urllib.parse.quote(parts.query, safe=KEPT) if parts.query else "")


def _body(response: http.client.HTTPResponse, limits: DownloadConfig, now: float) -> bytes:
    """The bytes of a response that says that it is an image."""
    status, headers = response.status, response.headers
    wait = retry_after(headers.get("Retry-After", ""), now)
    if status in BUSY:
        raise FetchError(f"HTTP {status}", again=True, host=True, wait=wait)
    if status != 200:
        raise FetchError(f"HTTP {status}", again=status in PASSING, wait=wait)
    kind = headers.get_content_type() if "Content-Type" in headers else UNKNOWN[0]
    if kind == "image/svg+xml" or not (kind.startswith("image/") or kind in UNKNOWN):
        raise FetchError(f"{kind}, no photograph")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError(f"compressed ({headers['Content-Encoding']})")
    robots = {word.strip().lower() for line in headers.get_all("X-Robots-Tag", []) for word in line.split(",")}
    if robots & set(NO_AI):
        raise FetchError("not for machine learning (X-Robots-Tag)")
    most, length = limits.max_megabytes << 20, response.length
    content = bytearray()
    while len(content) <= most and (length is None or len(content) < length <= most):
        try:
            chunk = response.read1(CHUNK)
        except TimeoutError as error:
            raise FetchError("too slow", again=True) from error
        except (OSError, http.client.HTTPException) as error:
            raise FetchError("cut off", again=True) from error
        if not chunk:
            break
        content += chunk
    if max(length or 0, len(content)) > most:
        raise FetchError(f"more than {limits.max_megabytes} MiB")
    if len(content) < (length or 0):
        raise FetchError("cut off", again=True)
    return bytes(content[:length])


def retry_after(value: str, now: float) -> float:
    """Seconds of a `Retry-After` header, which is a number or a date; 0 for anything else.

    Example:
        >>> retry_after("120", 0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 45.0), retry_after("soon", 0)
        (120.0, 15.0, 0.0)
    """
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return 0.0


def check_image(content: bytes, limits: DownloadConfig) -> Image:
    """Decode an image within its limit of pixels; call it inside of `bombs_raise`.

    Raises:
        FetchError: it is no image, damaged or too large.
    """
    pillow = import_library("build_wit", "PIL.Image", "wit")
    too_large = FetchError(f"more than {limits.max_megapixels} megapixels")
    try:
        with pillow.open(io.BytesIO(content), formats=[name for name in FORMATS if name != "MPO"]) as opened:
            if opened.width * opened.height > limits.max_megapixels * 10**6:
                raise too_large
            opened.load()
            return Image(content, FORMATS[opened.format])
    except FetchError:
        raise
    except pillow.UnidentifiedImageError as error:
        raise FetchError("not an image") from error
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise too_large from error
    except Exception as error:  # damaged files raise SyntaxError, struct.error, ...
        raise FetchError("damaged image") from error


@contextmanager
def bombs_raise() -> Iterator[None]:
    """Let Pillow refuse images of too many pixels before it decodes them, in all threads."""
    pillow = import_library("build_wit", "PIL.Image", "wit")
    pillow.init()  # once, before threads do
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of damaged EXIF data
        warnings.simplefilter("error", pillow.DecompressionBombWarning)
        yield
