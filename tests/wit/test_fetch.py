"""One image from a server that misbehaves, and the addresses that are not connected to."""

import io
import shutil
import ssl
import subprocess
import time

import pytest
from PIL import Image

from ccalign_jax.wit.addresses import is_public
from ccalign_jax.wit.fetch import FetchError, bombs_raise, fetch_image
from ccalign_jax.wit.options import DownloadConfig

LIMITS = DownloadConfig(timeout=10, max_megabytes=1)
FINAL = {
    "missing": "HTTP 404",
    "html": "text/html, no photograph",
    "svg": "image/svg+xml, no photograph",
    "html_as_image": "not an image",
    "damaged": "damaged image",
    "declared_huge": "more than 1 MiB",
    "endless": "more than 1 MiB",
    "many_pixels": "more than 80 megapixels",
    "some_pixels": "more than 80 megapixels",
    "gzip": "compressed (gzip)",
    "robots": "not for machine learning (X-Robots-Tag)",
    "loop": "more than 5 redirects",
    "other_loopback": "127.0.0.2 is at no public address",
    "private": "10.0.0.1 is at no public address",
    "metadata": "169.254.169.254 is at no public address",
    "mapped": "::ffff:127.0.0.1 is at no public address",
    "renamed": "rebound.test is at no public address",
    "file": "not an http or https address",
}


@pytest.fixture
def failed(server, network):
    """`failed(name)` is the error of this image, or of the image at this address."""

    def fetch(name, limits=LIMITS, **options):
        with pytest.raises(FetchError) as caught, bombs_raise():
            fetch_image(name if ":" in name else server.url(name), network=network(**options), limits=limits)
        return caught.value

    return fetch


@pytest.mark.parametrize("name", FINAL)
def test_what_is_no_image_is_refused_for_good(failed, name):
    error = failed(name)
    assert (error.reason, error.again) == (FINAL[name], False)


def test_a_good_image_comes_as_it_is_and_the_server_learns_who_asks(server, network):
    for name in ("good", "redirect", "größe/good?width=ü"):
        found = fetch_image(server.url(name), network=network(), limits=LIMITS)
        assert found.suffix == ".png" and Image.open(io.BytesIO(found.content)).size == (4, 3)
    assert {agent for *_, agent in server.seen} == {"tests/1 (tests@example.org)"}
    assert [name for _, name, _ in server.seen[:3]] == ["good", "redirect", "good"]


def test_passing_failures_say_so(server, failed):
    server.date = int(time.time())
    for name, reason, wait in (("error", "HTTP 500", 0), ("busy", "HTTP 429", 120), ("busy_date", "HTTP 429", 90)):
        error = failed(name)
        assert (error.reason, error.again, error.host) == (reason, True, wait > 0)
        assert wait - 5 <= error.wait <= wait
    assert (failed("cut").reason, failed("cut").again) == ("cut off", True)


@pytest.mark.parametrize(("name", "reason"), [("slow", "too slow"), ("slow_header", "no answer in time")])
def test_a_server_that_drips_is_left_in_time(failed, name, reason):
    error = failed(name, DownloadConfig(timeout=0.2))
    assert (error.reason, error.again, error.silent) == (reason, True, name == "slow_header")


def test_hosts_that_do_not_answer(server, failed):
    error = failed("http://images.test:1/good")
    assert (error.reason, error.again, error.silent) == ("no answer (ConnectionRefusedError)", True, True)
    error = failed(server.url("good").replace("http:", "https:"))
    assert error.reason.startswith("no answer (SSL") and error.again
    for url in ("ftp://images.test/a", "http:///a", "http://user:word@images.test/a", "http://[::1/a", "http://a:b/c"):
        assert failed(url).reason in ("not an address", "not an http or https address")


def test_certificates_are_checked(server, network, failed, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes a certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=images.test", "-addext", "subjectAltName=DNS:images.test"]
    command = ["openssl", "req", *kind, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trusted = ssl.create_default_context(cafile=str(certificate))
    good = server.url("good").replace("http:", "https:")
    assert fetch_image(good, network=network(tls=trusted), limits=LIMITS).suffix == ".png"
    assert server.seen[0][:2] == ("images.test", "good")
    for url, tls in ((good, None), (good.replace("images.test", "other.test"), trusted)):
        error = failed(url, tls=tls)
        assert error.reason.startswith("certificate not valid") and not error.again
    assert failed(good.replace("/good", "/cut"), tls=trusted).reason == "cut off"


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(server, network, failed):
    answers = [["10.0.0.1", "127.0.0.1"], ["10.0.0.1"]]
    reach = network(resolve=lambda host, port: answers.pop(0))
    assert fetch_image(server.url("good"), network=reach, limits=LIMITS).suffix == ".png"
    assert len(answers) == 1
    error = failed("good", resolve=lambda host, port: ["10.0.0.1", "::1", "fe80::1%eth0"])
    assert error.reason == "images.test is at no public address"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("208.80.154.240", True),
        ("2620:0:861:ed1a::2:b", True),
        ("64:ff9b::d050:9af0", True),  # 208.80.154.240, as networks with IPv6 alone name it
        *((inside, False) for inside in ("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254")),
        *((inside, False) for inside in ("172.16.0.1", "192.168.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255")),
        *((inside, False) for inside in ("::", "::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "64:ff9b::a00:1")),
        *((inside, False) for inside in ("::ffff:10.0.0.1", "2002:a00:1::1", "2001:0:1::1", "not an address", "")),
    ],
)
def test_public_addresses(address, public):
    assert is_public(address) is public
