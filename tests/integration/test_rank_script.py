"""rank.py as a person calls it: rows in .npy files, with and without a map, and mistakes in one line."""

import numpy as np
import pytest

from ccalign_jax.aligners import make_aligner
from ccalign_jax.checkpoints import save_checkpoint
from ccalign_jax.data.fingerprints import Fingerprints, fingerprint_rows
from ccalign_jax.learned_map import LearnedMap
from ccalign_jax.metrics import Ranks, rank, retrieval_metrics
from ccalign_jax.numerics import unit_rows


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(300, 16)).astype(np.float16)
    np.save(folder / "gallery.npy", gallery)
    np.save(folder / "queries.npy", gallery[:40] + rng.normal(size=(40, 16)).astype(np.float16))
    np.save(folder / "gold.npy", np.arange(40))
    np.save(folder / "wrong.npy", np.arange(40) + 280)
    np.save(folder / "narrow.npy", gallery[:, :3])
    broken = gallery.copy()
    broken[7, 3] = np.inf
    np.save(folder / "broken.npy", broken)
    broken[7] = 0
    np.save(folder / "zero.npy", broken)
    np.save(folder / "none.npy", np.zeros((40, 0), int))
    np.save(folder / "queries_long.npy", np.load(folder / "queries.npy").astype(np.longdouble))
    np.save(folder / "gallery_big.npy", gallery.astype(">f4"))
    for name in ("gallery", "gold"):
        whole = (folder / f"{name}.npy").read_bytes()
        (folder / f"{name}_damaged.npy").write_bytes(whole.replace(b"'shape': (", b"'shape'Z ("))
    return folder


def test_metrics_and_ranks_are_those_of_the_whole(script, files):
    sides = [f"--{side}={side}.npy" for side in ("queries", "gallery", "gold")]
    done = script("rank.py", *sides, "--memory=1MiB", "--out=ranks.npz", cwd=files)
    assert done.returncode == 0, done.stderr
    rows = [unit_rows(np.load(files / f"{side}.npy").astype(np.float32)) for side in ("queries", "gallery")]
    expected = retrieval_metrics(rank(*rows, np.arange(40)[:, None]))
    first = done.stdout.splitlines()[0]
    assert "40 rows" in first and f"R@1 {expected['R@1']:.4f}" in first and f"MRR {expected['MRR']:.4f}" in first
    with np.load(files / "ranks.npz") as kept:
        found = Ranks(*(kept[f"query_{name}"] for name in Ranks._fields))
        assert kept["gallery_tied"].shape == (300,) and kept["gallery_tied"].sum() == 40
    assert retrieval_metrics(found) == pytest.approx(expected)


def test_other_float_formats_are_read(script, files):
    """Of another byte order, and longer than any that a device computes with."""
    plain, other = (
        script("rank.py", f"--queries={queries}.npy", f"--gallery={gallery}.npy", "--gold=gold.npy", cwd=files)
        for queries, gallery in (("queries", "gallery"), ("queries_long", "gallery_big"))
    )
    assert other.returncode == 0, other.stderr
    assert other.stdout == plain.stdout


def test_training_images_in_the_gallery_are_counted(script, files):
    aligner = make_aligner("residual", 16, 16, languages=1)
    about = {"trial": "image/residual/infonce", "aligner": "residual", "d_text": 16, "d_image": 16, "languages": ["en"]}
    seen = Fingerprints(
        fingerprint_rows(np.load(files / "gallery.npy")[:30].astype(np.float32)), np.zeros(0, np.uint64)
    )
    params = {"delta": np.zeros((16, 16), np.float32)}
    save_checkpoint(files / "best", LearnedMap(aligner, params, about, seen))
    done = script(
        "rank.py", *(f"--{side}={side}.npy" for side in ("queries", "gallery", "gold")), "--checkpoint=best", cwd=files
    )
    assert done.returncode == 0, done.stderr
    assert "note: 30 of 300 gallery rows are training images of the map" in done.stdout


def test_csls_says_that_it_is_transductive(script, files):
    done = script("rank.py", "--queries=gallery.npy", "--gallery=gallery.npy", "--csls", cwd=files)
    assert done.returncode == 0 and "CSLS (transductive): 300 rows: R@1 1.0000" in done.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--gallery=gallery.npy"], "--gold"),
        (["--gallery=gallery.npy", "--gold=wrong.npy"], "row 20 names [300]"),
        (["--gallery=narrow.npy", "--gold=gold.npy"], "--checkpoint"),
        (["--gallery=broken.npy", "--gold=gold.npy"], "row 7 of the gallery holds NaN or infinity"),
        (["--gallery=zero.npy", "--gold=gold.npy"], "row 7 of the gallery is all zero"),
        (["--gallery=gold.npy", "--gold=gold.npy"], "[n, d]"),
        (
            ["--gallery=gallery.npy", "--gold=none.npy"],
            "none.npy: int64[40, 0]; it must hold whole numbers, [40] or [40, k]",
        ),
        (
            ["--gallery=gallery_damaged.npy", "--gold=gold.npy"],
            "gallery_damaged.npy: not an .npy file that can be read (",
        ),
        (["--gallery=gallery.npy", "--gold=gold_damaged.npy"], "gold_damaged.npy: not an .npy file that can be read ("),
        (["--gallery=gallery.npy", "--gold=gold.npy", "--memory=2 GB"], "--memory"),
    ],
)
def test_a_mistake_is_one_line(script, one_line_on_stderr, files, flags, said):
    one_line_on_stderr(script("rank.py", "--queries=queries.npy", *flags, cwd=files), said)
