"""Many images from servers that misbehave: pauses, turns, retries, what is listed, and what is not fetched twice."""

import csv
import shutil
import stat
import sys
import threading

import pytest

from ccalign_jax.wit.captions import image_key
from ccalign_jax.wit.download import download_images, user_agent
from ccalign_jax.wit.img2dataset import img2dataset_command, run_img2dataset
from ccalign_jax.wit.options import DownloadConfig


class Clock:
    """Seconds that pass in sleep alone."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def downloaded(tmp_path, network):
    """`downloaded(urls)` is what the download of these addresses returns, its failures by address, and its clock."""

    def download(urls, names=None, progress=lambda what, done, total: None, **options):
        rows = [f"{url}\t{image_key(url)}\n" for url in urls]
        (tmp_path / "urls.tsv").write_text("".join(["url\timage\n", *rows]), encoding="utf-8")
        clock, config = Clock(), DownloadConfig(**{"timeout": 10, **options})
        reach = {"network": network(names), "clock": lambda: clock.now, "sleep": clock.sleep}
        found = download_images(tmp_path, config, progress=progress, **reach)
        with (tmp_path / "failures.csv").open(encoding="utf-8", newline="") as file:
            failures = {row["url"]: (row["reason"], row["final"]) for row in csv.DictReader(file)}
        assert len(failures) == sum(found.failed.values()) == len(urls) - found.there
        there = {f"{path.parent.name}/{path.stem}" for path in (tmp_path / "images").glob("*/*")}
        assert there >= {image_key(url) for url in urls if url not in failures}
        return found, failures, clock

    return download


def names_of(server):
    return [name for _, name, _ in server.seen]


def test_images_are_there_once_and_failures_are_listed(server, downloaded, tmp_path):
    seen = []
    urls = [server.url(name) for name in ("a", "b", "missing", "html", "error", "cut")]
    found, failures, _ = downloaded(urls, progress=lambda *step: seen.append(step), attempts=3)
    assert (found.there, found.new) == (3, 3) and names_of(server).count("cut") == 3
    assert failures[urls[2]] == ("HTTP 404", "yes") and failures[urls[5]] == ("cut off", "no")
    assert seen[-1][1:] == (6, 6) and "images/s, 3 failed" in seen[-1][0]
    assert not list((tmp_path / "images").rglob("*.draft"))
    before = len(server.seen)
    found, again, _ = downloaded(urls, attempts=1)
    assert names_of(server)[before:] == ["cut"] and again == failures and (found.there, found.new) == (3, 0)
    with (tmp_path / "failures.csv").open("a") as file:
        file.write("cut off by a ki")
    (tmp_path / "images" / image_key(urls[0])).with_suffix(".png").unlink()
    (tmp_path / "images" / image_key(urls[0])).with_suffix(".png.draft").write_bytes(b"half")
    found, again, _ = downloaded(urls[:3])
    assert names_of(server)[before + 1 :] == ["a"] and list(again) == [urls[2]] and found.new == 1


def test_a_host_is_left_alone_for_as_long_as_it_asks(server, downloaded):
    urls = [server.url(name) for name in ("busy", "a", "b")]
    found, _, clock = downloaded(urls, per_host=1)
    assert found.there == 3 and names_of(server) == ["busy", "a", "b", "busy"]
    assert sum(clock.slept) == 120
    found, failures, clock = downloaded([server.url(name) for name in ("busy_long", "c", "d")], per_host=1)
    assert not clock.slept and found.there == 0
    assert set(failures.values()) == {("the host asks to wait 86400 s", "no")}


def test_pauses_grow_where_the_host_names_none(server, downloaded):
    _, failures, clock = downloaded([server.url("cut")], attempts=5)
    assert len(clock.slept) == 4 and list(failures.values()) == [("cut off", "no")]
    assert all(2**tried / 2 <= slept <= 2**tried for tried, slept in enumerate(clock.slept))


def test_a_dead_host_blocks_no_other_and_is_given_up(server, downloaded):
    dead = [f"http://dead.test:1/{number}" for number in range(30)]
    nowhere = [f"http://rebound.test/{number}" for number in range(3)]
    good = [server.url(f"{number}") for number in range(8)]
    found, failures, clock = downloaded(dead + nowhere + good, {"dead.test": "127.0.0.1"}, concurrency=4, attempts=9)
    assert found.there == 8 and set(failures) == {*dead, *nowhere} and len(clock.slept) < 6
    assert [failures[url] for url in nowhere] == [("rebound.test is at no public address", "yes")] * 3
    given_up = [reason for reason, final in failures.values() if "no answer 5 times in a row" in reason]
    assert len(given_up) >= 28 and all(failures[url][1] == "no" for url in dead)


def test_few_downloads_run_at_once(server, downloaded):
    server.delay = 0.02
    urls = [server.url(f"{number}") for number in range(6)]
    assert downloaded(urls, per_host=2)[0].there == 6 and server.most <= 2
    server.most = 0
    urls = [server.url(f"{number}", host) for number in range(6, 12) for host in ("images.test", "other.test")]
    assert downloaded(urls, per_host=2, concurrency=3)[0].there == 12 and 2 <= server.most <= 3
    assert {host for host, *_ in server.seen[6:10]} == {"images.test", "other.test"}  # in turn


def test_a_stopped_download_keeps_what_it_has(server, downloaded):
    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    urls = [server.url(f"{number}") for number in range(6)]
    with pytest.raises(KeyboardInterrupt):
        downloaded(urls, progress=stop, per_host=1)
    for thread in threading.enumerate():
        if thread.name.startswith("download"):
            thread.join()
    assert downloaded(urls)[0].there == 6 and len(server.seen) == 6


def test_impossible_options(one_line):
    one_line(lambda: user_agent(None), "--contact must be given")
    assert user_agent("me@example.org").startswith("ccalign_jax/") and "(me@example.org)" in user_agent(
        "me@example.org"
    )
    for contact in ("me", "me@example.org\r\nHost: x", "a b@c"):
        one_line(lambda contact=contact: DownloadConfig(contact=contact), "--contact=")
    one_line(lambda: DownloadConfig(timeout=0), "--timeout=0")
    one_line(lambda: DownloadConfig(per_host=0), "--per_host=0")


PROGRAM = """#!{python}
import csv, json, pathlib, sys
import polars
given = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:])
folder = pathlib.Path(given["output_folder"])
(folder / "00000").mkdir(parents=True)
rows = []
for number, row in enumerate(csv.DictReader(open(given["url_list"]), delimiter="\\t")):
    bad = "missing" in row["url"]
    rows.append({{**row, "key": f"{{number:09}}", "error_message": "HTTP Error 404: Not Found" if bad else None}})
    if not bad:
        (folder / "00000" / f"{{number:09}}.jpg").write_bytes(b"image " + row["url"].encode())
        (folder / "00000" / f"{{number:09}}.json").write_text(json.dumps(rows[-1]))
polars.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "00000.parquet")
sys.exit("broken" in row["url"])
"""


def test_images_of_img2dataset_come_to_their_places(tmp_path, monkeypatch, one_line):
    pytest.importorskip("polars")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    one_line(lambda: run_img2dataset(tmp_path, DownloadConfig()), "img2dataset is not on the PATH")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "img2dataset"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    urls = [f"https://images.test/{name}" for name in ("a", "missing", "b")]
    table = "".join(f"{url}\t{image_key(url)}\n" for url in urls)
    (tmp_path / "urls.tsv").write_text("url\timage\n" + table)
    found = run_img2dataset(tmp_path, DownloadConfig())
    assert (found.there, found.new, found.failed) == (2, 2, {"HTTP Error 404: Not Found": 1})
    image = (tmp_path / "images" / image_key(urls[2])).with_suffix(".jpg")
    assert image.read_bytes() == b"image https://images.test/b"
    assert image_key(urls[1]) in (tmp_path / "failures.csv").read_text()
    assert "--thread_count=3" in img2dataset_command(tmp_path, DownloadConfig(per_host=3))
    shutil.rmtree(tmp_path / "img2dataset")
    (tmp_path / "urls.tsv").write_text("url\timage\nhttps://images.test/broken\tx/x\n")
    one_line(lambda: run_img2dataset(tmp_path, DownloadConfig()), "ended with status 1")
