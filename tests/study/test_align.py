"""One map from shards: solved in one pass as from whole arrays, trained, stopped and gone on with."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import ccalign_jax.study.stream as stream_module
from ccalign_jax.checkpoints import load_aligner, save_checkpoint
from ccalign_jax.data import EmbeddingSet, open_shards, write_shards
from ccalign_jax.data.fingerprints import recognise
from ccalign_jax.options import AlignConfig
from ccalign_jax.pivots import make_pivot
from ccalign_jax.runs.kinds import MAP_FOLDER, read_config
from ccalign_jax.runs.store import Store
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.align import align, plan_align
from ccalign_jax.study.arrays import device_embeddings
from ccalign_jax.study.closed import gather_pairs
from ccalign_jax.study.stream import gather_moments
from ccalign_jax.training import Space, fit_stream

pytest.importorskip("grain", reason="grain streams the shards")
COUNT, D = 240, 8


def pairs():
    """Captions are images turned, and noise; de lacks every fourth, ja most."""
    random = np.random.default_rng(0)
    image = random.standard_normal((COUNT, D))
    turn = np.linalg.qr(random.standard_normal((D, D)))[0]
    arrays = {f"text_{lang}": image @ turn + 0.3 * random.standard_normal((COUNT, D)) for lang in ("de", "en", "ja")}
    arrays = {key: rows.astype(np.float32) for key, rows in (arrays | {"image": image}).items()}
    numbers = np.arange(COUNT)
    return arrays | {"mask_de": numbers % 4 > 0, "mask_ja": numbers % 5 == 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, arrays = tmp_path_factory.mktemp("shards"), pairs()
    write_shards(path, ({key: rows[at : at + 100] for key, rows in arrays.items()} for at in range(0, COUNT, 100)))
    return str(path)


def asked(folder, **changes):
    options = {"batch": 16, "epochs": 3, "held": 40, "hyper": ("learning_rate=0.1", "temperature=0.1", "warmup=3")}
    return AlignConfig(folder, **(options | changes))


CONSENSUS = ("gcca", "generalised_procrustes")  # which need all rows at once


def close(left, right, **tolerance):
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


# closed forms


def pivots_of(name):
    return [
        f"{kind}:en" if kind in ("text", "auxiliary") else kind
        for kind in CLOSED_FORMS[name].pivots
        if kind != "teacher"
    ]


@pytest.mark.parametrize(
    ("name", "pivot"),
    [(name, pivot) for name in CLOSED_FORMS if name not in CONSENSUS for pivot in pivots_of(name)],
)
def test_one_pass_is_as_good_as_all_rows(folder, name, pivot):
    """The whole path, against the same form on whole arrays, whatever the parts."""
    shards, arrays = open_shards(folder), pairs()
    space, pivot = Space(D, D, shards.languages), make_pivot(pivot, shards.languages)
    parts = (shards.read(start, min(start + 33, COUNT)) for start in range(0, COUNT, 33))
    gathered = gather_moments(pivot, space, parts, image_weight=0.5)
    keys = np.arange(COUNT).astype(str)
    there = {lang: arrays.get(f"mask_{lang}", np.ones(COUNT, bool)) for lang in shards.languages}
    data = EmbeddingSet.build(
        "whole",
        arrays["image"],
        {lang: arrays[f"text_{lang}"][mask] for lang, mask in there.items()},
        image_keys=keys,
        text_keys={lang: keys[mask] for lang, mask in there.items()},
    )
    rows = gather_pairs(pivot, space, device_embeddings(data), np.arange(COUNT), image_weight=0.5)
    found, wanted = (CLOSED_FORMS[name].path(one, penalty=1.0) for one in (gathered, rows))
    # Directions of canonical correlations may point either way.
    signless = np.abs if name in ("cca", "csa", "multi_step") else np.asarray
    close(*(jax.tree.map(signless, list(path.points)) for path in (found, wanted)), atol=2e-4)


def test_those_that_look_for_a_consensus_refuse(folder, one_line):
    for name, form in CLOSED_FORMS.items():
        if name in CONSENSUS:
            message = one_line(
                lambda name=name, form=form: plan_align(asked(folder, aligner=name, pivot=form.pivots[0]))
            )
            assert "needs all rows at once" in message
    refused = one_line(lambda: plan_align(asked(folder, aligner="ridge", pivot="teacher")))
    assert "teacher" in refused
    space = Space(D, D, ("en",))
    one_line(lambda: gather_moments(make_pivot("image", ("en",)), space, []), "no caption to train on has a target")


def test_a_closed_form_is_solved_on_what_is_not_held_out(folder):
    found = align(plan_align(asked(folder, aligner="ridge")))
    assert found.about["train_pairs"] == COUNT - 40
    scores = found.about["scores"]
    assert scores["after"]["t2i_R@1"] > scores["before"]["t2i_R@1"] + 0.3
    last = align(plan_align(asked(folder, aligner="ridge", held=0)))
    assert "scores" not in last.about and last.about["epoch"] == 22


def test_groups_are_held_out_whole_and_copies_are_one_image(tmp_path):
    """60 images, each 20 times with another caption near it, in no order."""
    random = np.random.default_rng(0)
    number = random.permutation(np.repeat(np.arange(60), 20))
    image = random.standard_normal((60, D)).astype(np.float32)[number]
    text = image + 0.01 * random.standard_normal(image.shape).astype(np.float32)
    arrays = {"image": image, "text_en": text, "image_groups": number}
    write_shards(tmp_path, ({key: rows[at : at + 500] for key, rows in arrays.items()} for at in range(0, 1200, 500)))
    plan = plan_align(asked(str(tmp_path), aligner="ridge", held=250))
    trained = np.concatenate([number[start:stop] for start, stop in plan.chunks])
    assert plan.train_rows == len(trained) == 960 and len(plan.held) == 12
    assert not set(trained) & set(plan.held.groups) and set(trained) | set(plan.held.groups) == set(range(60))
    assert plan.held.caption_counts().tolist() == [[20] * 12]
    scores = align(plan).about["scores"]["before"]
    assert (scores["t2i_R@1"], scores["i2t_R@1"]) == pytest.approx((1.0, 1.0))


def test_images_of_the_official_test_split_are_not_used(tmp_path, one_line):
    """Nor those of a group with one of them, of a set with several captions an image."""
    random = np.random.default_rng(0)
    count = 60
    image = random.standard_normal((count, D)).astype(np.float32)
    owner = np.repeat(np.arange(count), 1 + np.arange(count) % 3)
    arrays = {
        "image": image,
        "image_keys": np.arange(count).astype(str),
        "text_en": image[owner] + 0.1 * random.standard_normal((len(owner), D)).astype(np.float32),
        "text_en_keys": owner.astype(str),
        "image_groups": np.arange(count) // 2,
        "split": np.where(np.arange(count) % 4 == 1, "test", "train"),
    }
    np.savez(tmp_path / "split.npz", **arrays)
    plan = plan_align(asked(str(tmp_path / "split.npz"), aligner="ridge", held=20, split="official"))
    used = set(
        np.flatnonzero(np.arange(count) // 2 % 2).astype(str)
    )  # of pairs of images, every other has a test image
    rows = plan.shards.read_ranges(np.concatenate([plan.chunks, plan.apart])).groups
    assert set(rows) == {int(name) // 2 for name in used}
    pairs_of_used = sum(1 + int(name) % 3 for name in used)
    assert (plan.train_rows + plan.held_rows, plan.train_rows > 0, 0 < plan.held_rows <= 20) == (
        pairs_of_used,
        True,
        True,
    )
    assert f"left out {len(owner) - pairs_of_used} of {len(owner)} pairs" in " ".join(plan.notes)
    found = align(plan)
    seen = recognise(EmbeddingSet.build("test", image, {"en": image}), found.training_images).images
    assert set(np.flatnonzero(seen).astype(str)) == used
    whole = plan_align(asked(str(tmp_path / "split.npz"), aligner="ridge", held=0))
    assert whole.train_rows == len(owner) and not whole.notes


def test_an_official_split_that_is_not_there_is_refused(folder, tmp_path, one_line):
    one_line(lambda: plan_align(asked(folder, split="official")), "--split=official", "no image has a split")
    rows = np.random.default_rng(0).standard_normal((4, D)).astype(np.float32)
    for names, part in (
        (["train"] * 4, "no image is in split 'test' (there are train)"),
        (["test"] * 4, "every image"),
    ):
        np.savez(
            tmp_path / "s.npz",
            image=rows,
            image_keys=list("abcd"),
            text_en=rows,
            text_en_keys=list("abcd"),
            split=names,
        )
        one_line(lambda: plan_align(asked(str(tmp_path / "s.npz"), split="official")), part, "leave --split out")


# training


def test_training_gains(folder):
    seen = []
    found = align(plan_align(asked(folder)), progress=lambda what, done, total: seen.append((done, total)))
    assert found.about["scores"]["after"]["t2i_R@1"] > found.about["scores"]["before"]["t2i_R@1"] + 0.3
    assert 0 < found.about["epoch"] <= 3 and found.about["protocol"] == "stream"
    assert seen[-1] == (12 * 16 * 3, 12 * 16 * 3)


def test_pairs_that_do_not_belong_together_are_noted(folder, tmp_path):
    def notes_of(place):
        return align(plan_align(asked(str(place), aligner="procrustes"))).about.get("notes")

    arrays = pairs()
    write_shards(tmp_path, [arrays | {"image": np.roll(arrays["image"], 7, axis=0)}])
    assert notes_of(folder) is None
    assert notes_of(tmp_path) == [
        "identity is at chance although widths are equal, and so is every map: are your rows paired by key?"
    ]


@pytest.mark.parametrize("stop", [2, 12, 19])
def test_a_run_that_was_stopped_goes_on_to_the_same_map(folder, tmp_path, monkeypatch, stop):
    """Stopped within the first epoch, at its end, and in the second."""
    monkeypatch.setattr(stream_module, "POINTS", 3)
    monkeypatch.setattr(stream_module, "SAVE_SECONDS", 0.0)
    config = asked(folder, aligner="residual")
    plan, place = plan_align(config), Store(tmp_path / "run", MAP_FOLDER)
    place.acquire(config, plan.shards.digests())

    def killed(what, done, total):
        if done >= stop * 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), place:
        align(plan, place, progress=killed)
    again = Store(tmp_path / "run", MAP_FOLDER)
    again.acquire(config, plan.shards.digests(), resume=True)
    seen = []
    later = align(plan_align(config), again, progress=lambda what, done, total: seen.append(done))
    assert len(seen) < 14 or stop == 2
    whole = align(plan_align(config))
    close(later.params, whole.params, rtol=0, atol=0)
    assert later.about == whole.about
    with again.writing() as draft:
        save_checkpoint(draft / "best", later)
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert again.finished and names == [".lock", "align.json", "best", "manifest.json"]
    close(load_aligner(tmp_path / "run" / "best").params, whole.params, rtol=0, atol=0)


def test_training_images_are_recognised_among_others(folder):
    shards, random = open_shards(folder), np.random.default_rng(9)
    image = np.concatenate([shards.read(0, COUNT).image.astype(np.float16), random.standard_normal((30, D))])
    data = EmbeddingSet.build("toy", image, {"en": image})
    known = align(plan_align(asked(folder, aligner="procrustes"))).training_images
    assert known.rows.shape == (COUNT, 8) and len(known.keys) == 0
    np.testing.assert_array_equal(np.flatnonzero(recognise(data, known).images), np.arange(COUNT))


def test_seeds_differ(folder):
    one, two = (align(plan_align(asked(folder, seed=seed, epochs=1))).params["delta"] for seed in (0, 1))
    assert np.any(one != two)


def test_an_aligner_that_reads_a_sample_first(folder):
    found = align(plan_align(asked(folder, aligner="fourier", hyper=("features=16",), epochs=1)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.params))


WILD = ("learning_rate=100", "temperature=0.1", "warmup=3", "prox=1e38")


def test_training_that_diverges_ends_at_once(folder, one_line):
    seen = []
    plan = plan_align(asked(folder, hyper=WILD))
    one_line(lambda: align(plan, progress=lambda *told: seen.append(told)), "residual/infonce diverged", "after step 2")
    assert not seen


def test_the_epochs_before_it_diverged_can_be_chosen(folder, monkeypatch):
    def burst(*given, **rest):
        """Its third point has diverged in step 21."""
        for number, point in enumerate(fit_stream(*given, **rest)):
            gone = number == 2
            yield point._replace(state=point.state._replace(diverged=np.int32(21 * gone)))

    monkeypatch.setattr(stream_module, "fit_stream", burst)
    found = align(plan_align(asked(folder)))
    assert found.about["diverged"] == 21 and 0 < found.about["epoch"] <= 2
    assert align(plan_align(asked(folder, held=0))).about["epoch"] == 2


# mistakes


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"pivot": "consensus", "aligner": "dual"}, ("pivot consensus needs all rows at once",)),
        ({"pivot": "symmetric"}, ("moves the images too, residual does not; use dual(residual)",)),
        ({"aligner": "ridge,linear"}, ("ridge,linear",)),
        ({"aligner": "nothing"}, ("unknown aligner 'nothing'",)),
        ({"loss": "nothing"}, ("unknown loss 'nothing'",)),
        ({"hyper": ("temperature=0.1,0.2",)}, ("one map is trained at a time, this asks for 2",)),
        ({"hyper": ("epochs=3",)}, ("--hyper=epochs: an epoch is one pass over the shards; give --epochs",)),
        ({"hyper": ("batch_images=3",)}, ("give --batch",)),
        ({"batch": 500}, ("200 pairs to train on fill no batch of 500",)),
        ({"memory": 1000}, ("1000 bytes cannot hold three batches",)),
        ({"languages": ("fr",)}, ("no captions in fr; it has de, en, ja",)),
        ({"held": 3, "seed": 2}, ("no held-out pair has a caption in",)),
        ({"data": "/nowhere/at/all"}, ("/nowhere/at/all: no such file or folder",)),
    ],
)
def test_mistakes_are_found_before_anything_is_done(folder, one_line, changes, parts):
    if changes.get("data"):
        parts = ("/nowhere/at/all",)
    one_line(lambda: plan_align(dataclasses.replace(asked(folder), **changes)), *parts)


def test_damaged_shards_are_found_before_anything_is_done(tmp_path, one_line):
    write_shards(tmp_path, [pairs()])
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    place = whole.index(pairs()["text_en"][70:71].tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    said = []

    def planned():
        return plan_align(asked(str(tmp_path)), progress=lambda *now: said.append(now))

    one_line(planned, f"{path}: text_en is damaged (its checksum differs); copy or write it again")
    path.write_bytes(whole)
    planned()
    assert said[-1] == ("comparing checksums", COUNT, COUNT)


@pytest.mark.parametrize("changes", [{"batch": 0}, {"epochs": 0}, {"held": -1}, {"seed": -1}])
def test_numbers_that_cannot_be(folder, one_line, changes):
    (name,) = changes
    one_line(lambda: asked(folder, **changes), f"--{name}={changes[name]}: it must be")


def test_folders_that_are_not_this_runs(folder, tmp_path, one_line):
    config, run = asked(folder), tmp_path / "run"

    def claim(config=config, sha256="a", content="c", resume=False, overwrite=False):
        def call():
            with Store(run, MAP_FOLDER) as place:
                place.acquire(
                    config, {"data_sha256": sha256, "content_sha256": content}, resume=resume, overwrite=overwrite
                )

        return call

    one_line(claim(resume=True), "holds no run to resume")
    claim()()
    assert read_config(Store(run, MAP_FOLDER).config_path, MAP_FOLDER)[0] == config
    one_line(claim(), "holds a map already; give --resume, --overwrite")
    one_line(claim(resume=True, overwrite=True), "give one of them")
    one_line(claim(asked(folder, seed=4), resume=True), "cannot resume, seed is 4, was 0; give another --out")
    one_line(claim(sha256="b", resume=True), "cannot resume, the data have changed")
    one_line(claim(content="b", resume=True), "cannot resume, the data have changed")
    claim(resume=True)()
    claim(overwrite=True)()
    (run / "thesis.tex").write_text("mine")
    one_line(claim(overwrite=True), "thesis.tex: is not a file of a map")
    for damaged in ("{}", "[" * 100_000):
        (run / "unfinished" / "align.json").write_text(damaged)
        one_line(claim(resume=True), "align.json: missing, damaged, or not that of a map")


def test_more_steps_than_int32_counts_are_refused(folder, one_line):
    one_line(lambda: plan_align(asked(folder, epochs=2**31)), "residual", "steps, more than 2,147,483,647")


def test_a_run_of_an_older_version_goes_on(folder, tmp_path):
    """It kept no draft, no manifest, and no digest of the rows."""
    config, run = asked(folder), tmp_path / "run"
    with Store(run, MAP_FOLDER) as place:
        place.acquire(config, {"data_sha256": "a"})
    (run / "manifest.json").unlink()
    place.config_path.rename(run / "align.json")
    place.draft.rmdir()
    (run / "passed.npz").write_bytes(b"state")
    with Store(run, MAP_FOLDER) as place:
        assert not place.finished and place.config_path == run / "align.json"
        place.acquire(config, {"data_sha256": "a", "content_sha256": "c"}, resume=True)
    assert (place.draft / "passed.npz").read_bytes() == b"state" and not (run / "passed.npz").exists()


def test_a_damaged_state_is_not_gone_on_from(folder, tmp_path, monkeypatch, one_line):
    monkeypatch.setattr(stream_module, "SAVE_SECONDS", 0.0)
    config = asked(folder, epochs=1)
    plan, place = plan_align(config), Store(tmp_path / "run", MAP_FOLDER)
    place.acquire(config, plan.shards.digests())
    align(plan, place)
    path = place.draft / "passed.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    one_line(lambda: align(plan, place), "passed.npz: damaged; remove it to begin anew with --resume")
    assert json.loads(place.config_path.read_text())["config"]["batch"] == 16
