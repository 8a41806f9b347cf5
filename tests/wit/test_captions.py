"""From lines of WIT to a table of captions: preference, intersection, groups, splits, and what is left out."""

import json

import numpy as np
import pytest

pytest.importorskip("polars")

from ccalign_jax.extraction.sources import open_source
from ccalign_jax.wit import WitConfig, WitFolder
from ccalign_jax.wit.captions import image_key
from ccalign_jax.wit.groups import SPLITS, page_groups, split_groups

TWO = {"languages": ("de", "en"), "dev": 0, "test": 0}


@pytest.fixture
def built(tmp_path):
    """`built(paths, **options)` is the counts, and the records by the name of their image's file."""

    def build(paths, **options):
        out = tmp_path / "out"
        with WitFolder(out, WitConfig(tsv=tuple(map(str, paths)), **{**TWO, **options}), overwrite=True) as folder:
            counts = folder.make_captions()
        urls = [row.split("\t") for row in (out / "urls.tsv").read_text("utf-8").splitlines()]
        records = [json.loads(row) for row in (out / "captions.jsonl").read_text("utf-8").splitlines()]
        assert urls[0] == ["url", "image"] and [image for _, image in urls[1:]] == [each["image"] for each in records]
        assert all(image == image_key(url) for url, image in urls[1:])
        return counts, {url.rpartition("/")[2]: each for (url, _), each in zip(urls[1:], records, strict=True)}

    return build


def test_the_best_kind_of_caption_is_taken_and_an_attribution_only_in_the_language_of_the_page(line, tsv, built):
    path = tsv(
        line("de", "A", "a", "Bezug ", "Zuschreibung", "Alternative"),
        line("en", "A", "a", "   ", "attribution  of\xa0it", "alternative"),
        line("de", "B", "b", "", "fremd", "Alternative", own="false"),
        line("en", "B", "b", alt="alternative"),
        line("en", "C", "b", "reference"),
    )
    counts, records = built([path])
    assert records["a"]["captions"] == {"de": ["Bezug"], "en": ["attribution of it"]}
    assert records["b"]["captions"] == {"de": ["Alternative"], "en": ["reference"]}
    assert counts["captions"] == {"de": 2, "en": 2} and counts["images"] == 2
    (further,) = [reason for reason in counts["left_out"] if "--captions=all" in reason]
    assert counts["left_out"] == {further: 1}
    _, records = built([path], captions="all")
    assert records["b"]["captions"]["en"] == ["reference", "alternative"]
    _, records = built([path], prefer=("alt", "reference"))
    assert records["a"]["captions"] == {"de": ["Alternative"], "en": ["alternative"]}


def test_images_need_captions_in_all_languages_or_in_some(line, tsv, built):
    one = tsv(line("de", "A", "a", "eins"), line("de", "B", "b", "zwei"), line("ru", "A", "a", "один"))
    two = tsv(line("en", "A", "a", "one"), line("de", "C", "b", "zwei"), name="two.tsv.gz")
    counts, records = built([one, two])
    assert list(records) == ["a"] and counts["left_out"] == {
        "in other languages": 1,
        "of images with captions in too few languages": 2,
    }
    counts, records = built([one, two], min_languages=1)
    assert records["b"]["captions"] == {"de": ["zwei"]}
    assert counts["left_out"]["with a caption that the image has already in this language"] == 1


def test_every_line_that_is_left_out_is_counted(line, tsv, built):
    good = [line("de", "A", "a", "ein „Hund“"), line("en", "A", "a", '"a dog')]
    bad = [
        "de\tcut off",
        line("de", "A", "a", "x") + "\tone more",
        line("de", "A", "file:///etc/passwd", "x"),
        line("de", "A", "drawing", "x", mime="image/svg+xml"),
        line("de", "A", "a"),
        line("fr", "A", "a", "x"),
    ]
    counts, records = built([tsv(*good, *bad, "", name="wit.tsv.gz")])
    assert list(counts["left_out"].values()) == [2, 1, 1, 1, 1]
    assert records["a"]["captions"] == {"de": ["ein „Hund“"], "en": ['"a dog']}


def test_images_of_one_page_are_of_one_group_and_split(line, tsv, built):
    uses = [("A", "a"), ("A", "b"), ("B", "b"), ("B", "c"), ("D", "d"), ("E", "e")]
    lines = [line(language, page, image, f"{image} {page}") for page, image in uses for language in ("de", "en")]
    lines.append(line("de", "D", "not_kept", "in one language"))
    counts, records = built([tsv(*lines)], dev=0.2, test=0.2)
    group = {name: record["group"] for name, record in records.items()}
    assert group["a"] == group["b"] == group["c"] and len(set(group.values())) == 3 == counts["groups"]
    assert counts["largest_group"] == 3 and counts["splits"] == {"train": 3, "dev": 1, "test": 1}
    assert {records[name]["split"] for name in "abc"} == {"train"}


def test_splits_keep_groups_whole_and_follow_keys_alone():
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(120), random.integers(1, 9, 120))
    draw = random.integers(0, 1 << 63, len(group)).astype(np.uint64)
    split = split_groups(group, draw, dev=0.1, test=0.2)
    assert all(len(set(split[group == each])) == 1 for each in range(120))
    assert np.allclose(np.bincount(split) / len(split), [0.7, 0.1, 0.2], atol=0.02) and SPLITS[2] == "test"
    order = random.permutation(len(group))
    assert np.array_equal(split_groups(group[order], draw[order], dev=0.1, test=0.2), split[order])
    assert not split_groups(group, draw, dev=0, test=0).any()


def test_groups_are_connected_components():
    image, page = np.array([0, 1, 1, 2, 3, 4, 4]), np.array([9, 9, 5, 5, 7, 8, 7], np.uint64)
    assert page_groups(image, page, 6).tolist() == [0, 0, 0, 1, 1, 2]


def test_an_extraction_reads_the_table(line, tsv, built, tmp_path):
    built([tsv(line("de", "A", "a", "eins"), line("en", "A", "a", "one"))], test=0.9)
    key = image_key("https://images.example.org/a")
    (place := tmp_path / "out" / "images" / key).parent.mkdir(parents=True)
    place.with_suffix(".jpg").write_bytes(b"")
    (item,) = open_source(str(tmp_path / "out" / "images"), str(tmp_path / "out" / "captions.jsonl")).items()
    assert (item.key, item.split, item.captions) == (key, "train", {"de": ["eins"], "en": ["one"]})
    assert item.group == 0
    assert item.image == place.with_suffix(".jpg")


def test_a_killed_build_goes_on_to_the_same_captions(line, tsv, tmp_path, one_line):
    paths = [
        tsv(line("de", "A", "a", "eins"), line("en", "B", "b", "two"), name="1.tsv"),
        tsv(line("en", "A", "a", "one"), line("de", "B", "b", "zwei"), name="2.tsv"),
    ]
    config, out, seen = WitConfig(tsv=(str(tmp_path / "?.tsv"),), **TWO), tmp_path / "out", []

    def stop(what, done, total):
        seen.append(what)
        if what == "reading 2.tsv":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), WitFolder(out, config) as folder:
        folder.make_captions(stop)
    one_line(WitFolder(out, config).__enter__, "--resume", "--overwrite")
    other = WitConfig(**{**TWO, "languages": ("de",)}, tsv=config.tsv)
    one_line(WitFolder(out, other, resume=True).__enter__, "languages is ('de',), was ('de', 'en')")
    paths[0].write_text("")  # its rows are kept, but it is another file now
    one_line(WitFolder(out, config, resume=True).__enter__, "have changed")
    tsv(line("de", "A", "a", "eins"), line("en", "B", "b", "two"), name="1.tsv")
    with WitFolder(out, config, resume=True) as folder:
        counts = folder.make_captions(lambda what, done, total: seen.append(what))
        assert counts["images"] == 2 and folder.make_captions() == counts
        one_line(WitFolder(out, config, resume=True).__enter__, "another process")
    resumed = (out / "captions.jsonl").read_bytes()
    with WitFolder(out, config, overwrite=True) as folder:
        folder.make_captions()
    assert (out / "captions.jsonl").read_bytes() == resumed
    assert sorted(path.name for path in out.iterdir()) == ["build.json", "captions.jsonl", "urls.tsv"]


def test_mistakes_are_one_line(line, tsv, tmp_path, one_line):
    out = tmp_path / "out"

    def make(**options):
        with WitFolder(out, WitConfig(**options), overwrite=True) as folder:
            folder.make_captions()

    one_line(lambda: make(), "--tsv must be given")
    one_line(lambda: make(tsv=("none-*.tsv",)), "--tsv=none-*.tsv", "no such file")
    good = tsv(*[line("de", "A", f"{number}", "eins") for number in range(50)], name="good.tsv.gz")
    one_line(lambda: make(tsv=(str(good),)), "no image has captions in 9 of ar, de")
    for name, content in {"cut.tsv.gz": good.read_bytes()[:-30], "latin.tsv": b"language\npage_url\xff\n"}.items():
        (tmp_path / name).write_bytes(content)
        one_line(lambda name=name: make(tsv=(str(tmp_path / name),)), name)
    one_line(lambda: make(tsv=(str(tsv("x", header="a\tb", name="other.tsv")),)), "other.tsv", "no column language")
    one_line(lambda: WitFolder(out, WitConfig(), resume=True, overwrite=True), "give one of them")
    one_line(WitFolder(tmp_path / "empty", WitConfig(), resume=True).__enter__, "nothing to resume")
    (out / "build.json").write_text("{}")
    one_line(WitFolder(out, WitConfig(), resume=True).__enter__, "build.json", "damaged")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"languages": ("de", "de")}, "--languages=de,de"),
        ({"languages": ("d",)}, "--languages=d"),
        ({"languages": ()}, "--languages="),
        ({"prefer": ("title",)}, "--prefer=title"),
        ({"min_languages": 10}, "--min_languages=10"),
        ({"min_languages": 0}, "--min_languages=0"),
        ({"captions": "best"}, "--captions=best"),
        ({"dev": 0.5, "test": 0.5}, "--dev=0.5 --test=0.5"),
        ({"dev": float("nan")}, "--dev=nan"),
    ],
)
def test_impossible_options(change, part, one_line):
    one_line(lambda: WitConfig(**change), part)
