"""Outcomes and tallies by hand, and one quick sweep that many tests look at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from quick_pages import without_plots

from ccalign_jax.data import EmbeddingSet
from ccalign_jax.measurement.measure import Measurement, Place
from ccalign_jax.metrics import METRICS
from ccalign_jax.options import SweepConfig
from ccalign_jax.runs.kinds import SWEEP_FOLDER
from ccalign_jax.runs.store import Store
from ccalign_jax.study import SweepResult
from ccalign_jax.study.measure_maps import measure_test_parts
from ccalign_jax.study.outcomes import Outcome
from ccalign_jax.study.plan import Plan, plan_folds, plan_sweep
from ccalign_jax.study.refit import refit
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.write import write_results
from ccalign_jax.training import Hyper, Recipe, Trial


def bent(count: int = 100) -> EmbeddingSet:
    """Captions are bent images with noise; of the German ones some images have two, and some none."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((count, 6)).astype(np.float32)
    bend = np.eye(6) + 0.5 * rng.standard_normal((6, 6))
    keys = np.array([f"k{number:03d}" for number in range(count)])
    owners = {"de": np.sort(rng.choice(count, count)), "en": np.arange(count)}
    noise = {"de": 0.5, "en": 0.3}
    text = {
        language: image[owner] @ bend + noise[language] * rng.standard_normal((count, 6))
        for language, owner in owners.items()
    }
    text_keys = {language: keys[owner] for language, owner in owners.items()}
    return EmbeddingSet.build("bent", image, text, image_keys=keys, text_keys=text_keys)


@pytest.fixture(scope="module", autouse=True)
def pages_without_plots(no_plots) -> None:
    """Whole sweeps and evaluations are written by the tests of scripts."""


@pytest.fixture(scope="session")
def solved(tmp_path_factory) -> tuple[Path, SweepResult]:
    """The folder and the result of a sweep of closed forms on four crossed folds: two pivots, four trials."""
    out, data = tmp_path_factory.mktemp("runs") / "run", bent()
    config = SweepConfig(pivots=("image", "text:en"), aligners=("ridge", "procrustes"), folds=4)
    folder = Store(out, SWEEP_FOLDER)
    folder.acquire(config, {"data_sha256": data.sha256()})
    result = run_sweep(plan_sweep(data, config, plan_folds(data, config)), folder)
    result = measure_test_parts(result, tasks=(), scores=False, diagnostics=False)
    with without_plots():
        write_results(folder, result)
    return out, result


@pytest.fixture(scope="session")
def fold_of() -> Callable[[float], Measurement]:
    """`fold_of(value)` is a fold whose metrics are all this, of en and of the macro mean."""

    def make(value: float) -> Measurement:
        one = dict.fromkeys(METRICS, value)
        places: list[Place] = [(way, name) for way in ("t2i", "i2t", "both") for name in (None, "en")]
        return Measurement({place: dict(one) for place in places}, {}, np.arange(1))

    return make


@pytest.fixture(scope="session")
def outcome(fold_of) -> Callable[..., Outcome]:
    """`outcome(name, report, selection, aligner=)`: its metrics of each fold, and what it is chosen by."""

    def make(name: str, report: Sequence[float], selection: Sequence[float], *, aligner: str = "residual") -> Outcome:
        trial = None if name == "identity" else Trial(0, name, "image", aligner, "infonce", Hyper(), Recipe())
        found = Outcome(name, trial)
        found.test = [fold_of(value) for value in report]
        found.train = [fold_of(value / 2) for value in report]
        found.selection, found.epochs = list(selection), [3] * len(report)
        found.curves = [np.full((2, 3), value) for value in report]
        return found

    return make


@pytest.fixture(scope="session")
def toy_rows() -> Callable[..., tuple[dict[str, np.ndarray], np.ndarray]]:
    """`toy_rows(count, d_text=, d_image=)`: captions in de and en, row i of image i, which is turned away from both."""

    def make(count: int = 60, *, d_text: int = 8, d_image: int = 8) -> tuple[dict[str, np.ndarray], np.ndarray]:
        rng = np.random.default_rng(0)
        meaning = rng.standard_normal((count, 8))
        texts = {language: (meaning + rng.standard_normal((count, 8)))[:, :d_text] for language in ("de", "en")}
        image = meaning @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
        return texts, image[:, :d_image]

    return make


@pytest.fixture(scope="session")
def toy(toy_rows) -> Callable[..., EmbeddingSet]:
    """`toy(**options)` are these rows as a data set."""

    def make(**options) -> EmbeddingSet:
        texts, image = toy_rows()
        return EmbeddingSet.build("toy", image, texts, **options)

    return make


@pytest.fixture(scope="session")
def planned(toy) -> Callable[..., Plan]:
    """`planned(data, folds=, criterion=, **options)`: two quick trials of the residual map, on two folds by default."""

    def make(data: EmbeddingSet | None = None, *, folds: int = 2, criterion: str = "mean", **options) -> Plan:
        data = toy() if data is None else data
        hyper = (
            "epochs=2",
            "steps_per_epoch=2",
            "score_every=1",
            "batch_images=8",
            f"criterion={criterion}",
            "learning_rate=0.01,0.1",
        )
        choices = {"aligners": ("residual",), "hyper": (*hyper, "temperature=0.1"), "folds": folds, **options}
        config = SweepConfig(**choices)
        return plan_sweep(data, config, plan_folds(data, config))

    return make


@pytest.fixture(scope="session")
def whole(planned) -> SweepResult:
    """What these two trials find."""
    found = run_sweep(planned())
    refit(found)
    return found
