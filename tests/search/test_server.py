"""What the server answers, and what it refuses, over a plain socket."""

import contextlib
import dataclasses
import json
import socket
import threading
import time

import pytest

from ccalign_jax.errors import InputError
from ccalign_jax.search import server as module
from ccalign_jax.search.page import SearchPage
from ccalign_jax.search.server import SearchServer

ELSEWHERE = (
    *("/", "//", "/favicon.ico", "/%00/", "/é/", "/{wrong}/", "/{short}/", "http://evil.example/{token}x/"),
    *("/{token}", "/{token}//", "/{token}/../{token}/", "/{token}/page.html", "/{token}/..%5c..%5cpage.html"),
    *("/{token}/image/", "/{token}/image/-1", "/{token}/image/1e3", "/{token}/image/999999", "/{token}/image/٣"),
    *("/{token}/image/../../etc/passwd", "/{token}/image//etc/passwd", "/{token}/image/%2e%2e%2fpage.html"),
    "/{token}/image/000.png",
)
BAD = {
    "": "the query is empty",
    "q=": "the query is empty",
    f"q={1500 * 'x'}": "signs",
    "q=%ff%fe": "not text",
    "q=a+cat": "try other words",
    "q=a&language=xx": "xx: no language of the data",
}


@pytest.fixture(scope="module")
def server(searcher):
    with SearchServer(SearchPage(searcher)) as started:
        thread = threading.Thread(target=started.serve_forever, daemon=True)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def send(server, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request."""
    answer = b""
    client = socket.create_connection(("127.0.0.1", server.server_port), timeout=20)
    with client, contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered, and read no more
        client.sendall(content)
        while more := client.recv(65536):
            answer += more
    if not answer:
        return 0, {}, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def get(
    server, path: str, *more: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{server.server_port}'}", *more]
    return send(server, ("\r\n".join(lines) + "\r\n\r\n").encode())


def test_the_page_is_of_one_piece_and_may_load_nothing_else(server):
    status, headers, body = get(server, f"/{server.token}/")
    policy = headers["Content-Security-Policy"]
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; ") and body.count(f'nonce="{nonce}"'.encode()) == 2
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert b"http://" not in body and b"https://" not in body and server.token.encode() not in body
    assert nonce not in get(server, f"/{server.token}/")[1]["Content-Security-Policy"]


def test_a_query_is_answered_with_both_sides(server):
    path = f"/{server.token}/search?q=ein+blaues+Ding+94&language="
    status, headers, body = get(server, path, host=f"localhost:{server.server_port}")
    found = json.loads(body)
    assert status == 200 and found["language"] == "de" and headers["Cache-Control"] == "no-store"
    assert found["after"]["images"][0]["key"] == "094.png" and len(found["before"]["images"]) == 10


def test_a_picture_is_served_small_by_its_number(server):
    status, headers, body = get(server, f"/{server.token}/image/3")
    assert status == 200 and headers["Content-Type"] == "image/jpeg" and body.startswith(b"\xff\xd8\xff")
    assert get(server, f"/{server.token}/image/100")[0] == 404  # of which there is no file


@pytest.mark.parametrize(("query", "message"), BAD.items())
def test_a_bad_query_is_one_line(server, query, message):
    status, _, body = get(server, f"/{server.token}/search?{query}")
    assert status == 400 and message in json.loads(body)["error"]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_other_paths_are_not_there(server, path):
    path = path.format(token=server.token, wrong=server.token[::-1], short=server.token[:-1])
    status, headers, body = get(server, path)
    assert status in (400, 404) and len(body) < 40 and headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "127.0.0.1.evil.example:{port}"]
)
def test_another_host_is_refused(server, host):
    assert get(server, f"/{server.token}/", host=host.format(port=server.server_port))[0] == 421


def test_no_host_and_two_hosts_are_refused(server):
    port = server.server_port
    assert send(server, f"GET /{server.token}/ HTTP/1.1\r\n\r\n".encode())[0] == 421
    assert get(server, f"/{server.token}/", f"Host: 127.0.0.1:{port}")[0] == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT"])
def test_methods_but_get_are_refused(server, method):
    status, headers, _ = get(server, f"/{server.token}/search?q=a", method=method)
    assert (status, headers["Allow"]) == (405, "GET")
    assert get(server, f"/{server.token}/", method="BREW")[0] == 501


def test_large_requests_are_refused(server):
    assert get(server, f"/{server.token}/search?q={'x' * 20_000}")[0] in (0, 431)
    assert get(server, f"/{server.token}/", *(f"X-{number}: {'x' * 900}" for number in range(30)))[0] in (0, 431)
    assert get(server, f"/{server.token}/", "Content-Length: 5")[0] == 413
    assert send(server, b"\x16\x03\x01" + 60 * b"\0" + b"\r\n\r\n")[0] == 400  # https


def test_slow_and_silent_clients_do_not_keep_others(server):
    idle = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(8)]
    for client in idle[:4]:
        client.sendall(b"GET /")
    began = time.monotonic()
    assert get(server, f"/{server.token}/")[0] == 200 and time.monotonic() - began < 2
    for client in idle:
        client.close()


def test_beyond_some_clients_connections_are_closed(searcher, monkeypatch):
    monkeypatch.setattr(module, "MAX_CLIENTS", 1)
    with SearchServer(SearchPage(searcher)) as small:
        threading.Thread(target=small.serve_forever, daemon=True).start()
        first = socket.create_connection(("127.0.0.1", small.server_port))
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", small.server_port), timeout=10) as second:
            assert second.recv(10) == b""
        first.close()
        small.shutdown()


def test_it_is_bound_to_this_machine_with_a_token_of_its_own(searcher, server):
    assert server.server_address[0] == "127.0.0.1" and len(server.token) >= 32
    with SearchServer(SearchPage(searcher)) as other:
        assert other.token != server.token
        with pytest.raises(InputError, match=f"port={other.server_port}: .*in use.*; give another"):
            SearchServer(SearchPage(searcher), port=other.server_port)


def test_keys_that_lead_out_of_the_folder_have_no_picture(searcher):
    keys = searcher.data.keys.astype("U40")
    keys[0], keys[1] = "../secret.png", "/etc/passwd"
    page = SearchPage(dataclasses.replace(searcher, data=dataclasses.replace(searcher.data, keys=keys)))
    assert page.thumbnail(0) is None and page.thumbnail(1) is None and page.thumbnail(2) is not None
