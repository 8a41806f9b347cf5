"""Connections to public internet addresses alone: a host's name is resolved once, checked, and what was checked is
connected to, so that neither a redirect nor a name that resolves anew leads into the network of this machine.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["DeadlineSocket", "Network", "Refused", "is_public", "resolve", "send_request"]

NAT64 = ipaddress.ip_network("64:ff9b::/96")
MOST_ADDRESSES = 4  # of a host, that are tried
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class Refused(Exception):
    """A host is not connected to: it has no public address."""


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, by the system's resolver.

    Raises:
        OSError: it has none.
    """
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet, and so is an IPv4 address that is inside of it.

    Example:
        >>> [is_public(each) for each in ("208.80.154.240", "127.0.0.1", "::ffff:10.0.0.1", "169.254.1.1")]
        [True, False, False, False]
    """
    try:
        given: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(given, ipaddress.IPv6Address):
        if given.teredo is not None or given.is_site_local:
            return False
        inner = given.ipv4_mapped or given.sixtofour
        if given in NAT64:
            inner = ipaddress.IPv4Address(int(given) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return given.is_global and not given.is_multicast


class Network(NamedTuple):
    """How hosts are reached.

    Attributes:
        user_agent: of every request.
        resolve: a host and port to IP addresses.
        allowed: addresses that count as public: for tests, which have a server on this machine.
        clock: seconds that only grow.
        tls: checks certificates.
    """

    user_agent: str
    resolve: Resolve = resolve
    allowed: frozenset[str] = frozenset()
    clock: Callable[[], float] = time.monotonic
    tls: ssl.SSLContext | None = None


class _Raw(io.RawIOBase):
    """What a socket receives, until a deadline."""

    def __init__(self, parent: DeadlineSocket):
        self._parent = parent

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._parent.limit()
        return self._parent.socket.recv_into(buffer)

    def close(self) -> None:
        super().close()
        self._parent.socket.close()


class DeadlineSocket:
    """A connected socket whose operations end together by one deadline, however slowly bytes arrive.

    It is what `http.client` needs of a socket; the file that `makefile` returns closes it.

    Args:
        connected: the socket.
        deadline: by `clock`.
        clock: seconds.
    """

    def __init__(self, connected: socket.socket, deadline: float, clock: Callable[[], float]):
        self.socket, self._deadline, self._clock = connected, deadline, clock

    def limit(self) -> None:
        """Let the next operation take what is left.

        Raises:
            TimeoutError: nothing is left.
        """
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def sendall(self, content: bytes) -> None:
        self.limit()
        self.socket.sendall(content)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self))

    def close(self) -> None:
        """Nothing: `http.client` calls it before the response is read."""


def send_request(
    scheme: str, host: str, port: int | None, path: str, *, network: Network, deadline: float
) -> http.client.HTTPResponse:
    """A GET request to a public address.

    Args:
        scheme: http or https.
        host, port, path: of the address; None for the scheme's port.
        network: how hosts are reached.
        deadline: by the network's clock, for connecting, and reading all of the response.

    Returns:
        The response, of which the header is read; the caller closes it.

    Raises:
        Refused: the host has no public address.
        OSError: it has no address, or none that answers in time.
        http.client.HTTPException: it answers with something else than HTTP.
    """
    number = port or DEFAULT_PORTS[scheme]
    found = dict.fromkeys(network.resolve(host, number))
    public = [address for address in found if address in network.allowed or is_public(address)]
    if not public:
        raise Refused(f"{host} is at no public address")
    opened = _connect(public[:MOST_ADDRESSES], number, network, deadline)
    try:
        if scheme == "https":
            opened = (network.tls or ssl.create_default_context()).wrap_socket(opened, server_hostname=host)
        connection = http.client.HTTPConnection(host, number)
        connection.default_port = DEFAULT_PORTS[scheme]
        connection.sock = DeadlineSocket(opened, deadline, network.clock)
        headers = {"User-Agent": network.user_agent, "Accept": "image/*", "Accept-Encoding": "identity"}
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        return connection.getresponse()
    except BaseException:
        opened.close()
        raise


def _connect(addresses: Sequence[str], port: int, network: Network, deadline: float) -> socket.socket:
    """A connection to the first address that takes one; the time is divided among them."""
    for place, address in enumerate(addresses, start=1):
        left = deadline - network.clock()
        if left <= 0:
            raise TimeoutError
        try:
            return socket.create_connection((address, port), timeout=left / (len(addresses) + 1 - place))
        except OSError:
            if place == len(addresses):
                raise
    raise OSError("no address")
