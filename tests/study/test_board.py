"""What TensorBoard's own reader finds of sweeps and streamed fits."""

import json
import sys

import numpy as np
import pytest

from ccalign_jax.data import EmbeddingSet, write_shards
from ccalign_jax.options import AlignConfig, SweepConfig
from ccalign_jax.runs.kinds import MAP_FOLDER, SWEEP_FOLDER
from ccalign_jax.runs.output import file_name
from ccalign_jax.runs.store import Store
from ccalign_jax.study.align import align, plan_align
from ccalign_jax.study.api import run_study
from ccalign_jax.training import learning_rate


@pytest.fixture(scope="module")
def curves():
    """`curves(folder)` has the points of each chart of a run, and its summaries of hyper-parameters."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard reads what is written"
    )

    def read(folder):
        found = reader.EventAccumulator(str(folder)).Reload()
        charts = {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        return charts, found.SummaryMetadata

    return read


@pytest.fixture(scope="module")
def shown(curves, planned, toy_rows, tmp_path_factory):
    """A sweep with texts and pictures, written with what TensorBoard shows, and the same without."""
    out = tmp_path_factory.mktemp("board")
    pillow = pytest.importorskip("PIL.Image")
    texts, image = toy_rows()
    keys = [f"{number:02d}" for number in range(len(image))]
    for key in keys:
        pillow.new("RGB", (9, 6), "red").save(out / f"{key}.png")
    captions = {language: [f"{language}\t{key}" for key in keys] for language in texts}
    data = EmbeddingSet.build("toy", image, texts, image_keys=keys, captions=captions, folder=out)
    plan, results = planned(data), []
    for name, tensorboard in (("shown", True), ("plain", False)):
        with Store(out / name, SWEEP_FOLDER) as store:
            store.acquire(plan.config, {"data_sha256": data.sha256()})
            results.append(run_study(plan, store, diagnostics=False, tensorboard=tensorboard))
    return out, results[0]


def test_a_sweep_has_curves_of_every_fold(shown, curves):
    out, result = shown
    for outcome in result.outcomes:
        charts, _ = curves(out / "shown" / "tensorboard" / file_name(outcome.name))
        recipe = outcome.trial.recipe
        for fold in range(2):
            assert charts[f"loss/fold {fold}"] == list(enumerate(outcome.losses[fold], 1))
            last = learning_rate(outcome.trial.hyper, 3, 4)
            assert [step for step, _ in charts[f"learning rate/fold {fold}"]] == [1, 2]
            np.testing.assert_allclose(charts[f"learning rate/fold {fold}"][-1][1], last, rtol=1e-6)
            moved = charts[f"‖ΔW‖/fold {fold}"]
            assert moved[0] == (0, 0.0) and [step for step, _ in moved] == [0, 1, 2]
            if outcome.epochs[fold]:
                delta = np.linalg.norm(outcome.params[fold]["delta"])
                np.testing.assert_allclose(moved[outcome.epochs[fold]][1], delta, rtol=1e-5)
            for place, name in enumerate(("t2i R@1", "i2t R@1", "MRR")):
                found = [value for _, value in charts[f"validation {name}/fold {fold}"]]
                np.testing.assert_allclose(found, outcome.curves[fold][:, place], rtol=1e-6)
        assert recipe.epochs == 2


def test_trials_are_a_table_with_their_metrics_and_verdicts(shown, curves):
    plugin_data = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
    out, result = shown
    for entry in result.summary["trials"]:
        charts, metadata = curves(out / "shown" / "tensorboard" / file_name(entry["name"]))
        assert charts["test/t2i R@1"][0][1] == pytest.approx(entry["metrics"]["t2i"]["R@1"]["mean"])
        content = metadata("_hparams_/session_start_info").plugin_data.content
        given = plugin_data.HParamsPluginData.FromString(content).session_start_info.hparams
        assert given["verdict"].string_value == entry["verdict"]["both"]
        assert given["learning_rate"].number_value == pytest.approx(entry["hyper"]["learning_rate"])
        assert "temperature" not in given  # the same in both
    assert curves(out / "shown" / "tensorboard" / "identity")[0].keys() >= {"test/mean R@1"}


def test_rows_before_and_after_have_captions_and_pictures(shown):
    out, _ = shown
    folder = out / "shown" / "tensorboard" / "projector"
    lines = (folder / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    count = 30 * 3  # a fold's images, and their captions in two languages
    assert lines[0] == "what\timage key\tcaption" and len(lines) == 1 + count
    kind, key, caption = lines[-1].split("\t")
    assert (kind, caption) == ("en", f"en {key}")
    config = (folder / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert config.count(f"tensor_shape: {count}") == 2 and config.count("pictures.png") == 2
    for file in ("rows_0.bytes", "rows_1.bytes"):
        rows = np.fromfile(folder / file, "<f4").reshape(count, 8)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert (folder / "pictures.png").is_file()


def test_results_are_those_without_it(shown):
    out, _ = shown
    for name in ("summary.json", "results.csv", "records.csv"):
        assert (out / "shown" / name).read_bytes() == (out / "plain" / name).read_bytes()
    listed = json.loads((out / "shown" / "manifest.json").read_text())["files"]
    assert any(name.startswith("tensorboard/") for name in listed)
    assert not (out / "plain" / "tensorboard").exists()


def test_a_streamed_fit_has_every_step(curves, tmp_path, toy_rows):
    pytest.importorskip("grain", reason="grain streams the shards")
    texts, image = toy_rows(80)
    rows = {"image": image.astype(np.float32), "text_en": texts["en"].astype(np.float32)}
    write_shards(tmp_path / "data", [rows])
    plan = plan_align(AlignConfig(str(tmp_path / "data"), batch=16, epochs=3, held=16))
    with Store(tmp_path / "run", MAP_FOLDER) as store:
        store.acquire(plan.config, {})
        align(plan, store, tensorboard=True)
        charts, _ = curves(store.board / file_name(plan.trial.name))
    steps = list(range(1, 13))
    assert [step for step, _ in charts["loss"]] == steps == [step for step, _ in charts["learning rate"]]
    assert [step for step, _ in charts["‖ΔW‖"]] == [4, 8, 12]
    assert [step for step, _ in charts["validation MRR"]] == [0, 4, 8, 12]


def test_curves_survive_a_resume(tmp_path):
    config = SweepConfig()
    with Store(tmp_path / "run", SWEEP_FOLDER) as store:
        store.acquire(config, {"data_sha256": ""})
        store.board.mkdir()
        (store.board / "events").touch()
        store.save_result("000", 1)
    with Store(tmp_path / "run", SWEEP_FOLDER) as store:
        store.acquire(config, {"data_sha256": ""}, resume=True)
        assert (store.board / "events").is_file()


def test_without_tensorboard_one_line_says_how_to_install_it(planned, tmp_path, monkeypatch, one_line):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    plan = planned()

    def run():
        with Store(tmp_path / "run", SWEEP_FOLDER) as store:
            store.acquire(plan.config, {"data_sha256": ""})
            run_study(plan, store, tensorboard=True)

    one_line(run, 'pip install "ccalign_jax[tensorboard]"')
    assert not (tmp_path / "run").exists()
