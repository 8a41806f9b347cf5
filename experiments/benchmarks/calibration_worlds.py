"""One small world of known truth: swept as a user would, and set beside what its maps do on fresh images."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ccalign_jax.aligners import Aligner, map_captions, map_images
from ccalign_jax.data import EmbeddingSet, synthetic
from ccalign_jax.data.synthetic_world import World
from ccalign_jax.measurement.inference import change_tests
from ccalign_jax.measurement.measure import IDENTITY, Measurement, measure
from ccalign_jax.measurement.metric_replicates import minus_replicates, replicate_metrics
from ccalign_jax.measurement.replicates import draw_replicates
from ccalign_jax.numerics import unit_float32
from ccalign_jax.options import SweepConfig
from ccalign_jax.study.arrays import make_part
from ccalign_jax.study.inputs import prepare_data
from ccalign_jax.study.plan import plan_folds, plan_sweep
from ccalign_jax.study.run import run_sweep
from ccalign_jax.study.sweep_result import SweepResult
from ccalign_jax.training import PartRows, Recipe, rank_part

IMAGES, DIMENSIONS, LANGUAGES, FOLDS = 400, 64, ("de", "en", "fr"), 5
POOL = IMAGES // FOLDS
FRESH_POOLS = 100  # that the truth of a map is the mean over
DIRECTIONS = ("t2i", "i2t", "both")
ALIGNERS = ("residual", "shift", "linear")
STEPS = {"epochs": 4, "steps_per_epoch": 12}
GRID: list[dict[str, Any]] = [
    {**STEPS, "aligners": ["residual"], "learning_rate": [1e-3, 1e-2], "temperature": [0.03, 0.1]},
    {**STEPS, "aligners": ["residual"], "learning_rate": 1e-2, "temperature": 0.03, "start_counts": False},
    {**STEPS, "aligners": ["shift"], "learning_rate": [1e-3, 1e-2], "temperature": 0.1},
    {**STEPS, "aligners": ["linear"], "learning_rate": 3e-2, "temperature": 0.03},
]
UNTESTED = {"mean": 0.0, "p": 1.0, "p_adjusted": 1.0}  # of a trial that a race dropped, as Holm counts it
FOLLOWED = 4  # the trial whose intervals are checked: a residual map that may not keep its start

# Signal and noise alike in all directions: no linear map beats identity, by symmetry.
NULL = World(exponent=0.0, span=1.0, weight=4.0, distortion=0.0, leak=0.0)


class Claim(NamedTuple):
    """An estimate as it is reported, and the truth."""

    mean: float
    low: float
    high: float
    truth: float


def simulate(seed: int, world: World, *, protocol: Literal["nested", "seed"], replicates: int) -> dict[str, Any]:
    """Claims of a sweep of one world, and the truth: its maps on fresh images in galleries of the same size.

    Args:
        seed: of world and sweep.
        world: to draw images from.
        protocol: "nested" or "seed".
        replicates: bootstrap replicates, and as many sign flips.
    """
    whole = synthetic(IMAGES + FRESH_POOLS * POOL, languages=LANGUAGES, dimensions=DIMENSIONS, seed=seed, world=world)
    config = SweepConfig(data="arrays", aligners=ALIGNERS, protocol=protocol, folds=FOLDS, seed=seed)
    data = prepare_data(whole.take(np.arange(IMAGES)), config)
    plan = plan_sweep(data, config, plan_folds(data, config), blocks=GRID)
    result = run_sweep(plan)
    replicates = draw_replicates(data.groups, seed=seed, replicates=replicates, flips=replicates)._replace(medians=0)
    summary = dataclasses.replace(result, replicates=replicates).summary
    fresh = _pools(whole)
    identity = _truth(result, [IDENTITY] * FOLDS, fresh)
    reported = {trial["name"]: trial for trial in summary["trials"]}
    trials = [reported.get(outcome.name) for outcome in result.outcomes]  # None where a race dropped it
    found: dict[str, Any] = {
        "trials": [
            {direction: trial["delta"][direction]["R@1"] if trial else UNTESTED for direction in DIRECTIONS}
            for trial in trials
        ],
        "verdicts": [trial["verdict"] for trial in summary["trials"]],
        "verdict": summary["selected"]["verdict"],
        "optimism": summary.get("optimism"),
        "identity": _claims(summary["baselines"][IDENTITY], identity),
    }
    for name, entry in (("trial", trials[FOLLOWED]), ("selected", summary["selected"])):
        if entry is None:
            continue
        truth = _truth(result, entry["per_fold"], fresh)
        found[name] = {
            "level": _claims(entry["metrics"], truth),
            "change": _claims(
                entry["delta"], {direction: truth[direction] - identity[direction] for direction in DIRECTIONS}
            ),
            "p": {direction: entry["delta"][direction]["R@1"]["p"] for direction in DIRECTIONS},
            "p_folds": {direction: entry["delta"][direction]["R@1"]["p_folds"] for direction in DIRECTIONS},
        }
    return found


def exchange(seed: int, world: World, *, replicates: int) -> dict[str, dict[str, float]]:
    """p-values between two arms that differ by chance alone: two captions of every image, in galleries of one fold.

    Args:
        seed, world, replicates: as in `simulate`.
    """
    data = synthetic(IMAGES, languages=LANGUAGES, dimensions=DIMENSIONS, captions=2, seed=seed, world=world)
    replicates = draw_replicates(data.groups, seed=seed, replicates=replicates, flips=replicates)._replace(medians=0)
    arms: list[list[Measurement]] = [[], []]
    for rows in np.array_split(np.arange(IMAGES), FOLDS):
        part = data.take(rows)
        for arm, folds in enumerate(arms):
            folds.append(_measure(part, arm)._replace(images=rows))
    draws_of = [replicate_metrics(folds, replicates) for folds in arms]
    tests = change_tests(minus_replicates(draws_of[1], draws_of[0]), replicates)
    return {
        metric: {direction: tests[direction, None][metric] for direction in DIRECTIONS} for metric in ("MRR", "R@1")
    }


def _measure(data: EmbeddingSet, arm: int) -> Measurement:
    chosen = {lang: np.arange(arm, len(rows), 2) for lang, rows in data.text.items()}
    one = EmbeddingSet.build(
        "arm", data.image, {lang: np.asarray(data.text[lang])[rows] for lang, rows in chosen.items()}
    )
    part = make_part(one, np.arange(len(one)))
    text = tuple(jnp.asarray(unit_float32(one.text[lang])) for lang in one.languages)
    rows = PartRows(part, jnp.asarray(one.image), text)
    return measure(jax.tree.map(np.asarray, rank_part(rows)), part, one.languages)


def _pools(whole: EmbeddingSet) -> tuple[Float[Array, "l p m d"], Float[Array, "p m d"]]:
    text = jnp.stack([jnp.asarray(whole.text[lang][IMAGES:]) for lang in LANGUAGES])
    image = jnp.asarray(whole.image[IMAGES:])
    return text.reshape(len(LANGUAGES), FRESH_POOLS, POOL, -1), image.reshape(FRESH_POOLS, POOL, -1)


@partial(jax.jit, static_argnums=0)
def _recall(aligner: Aligner, params: Any, text: Float[Array, "l p m d"], image: Float[Array, "p m d"]) -> Array:
    """R@1 of both directions, the mean over galleries and languages."""
    rows = map_images(aligner, params, image.reshape(-1, image.shape[-1])).reshape(image.shape)

    def one_language(inputs: tuple[Array, Array]) -> Array:
        captions, number = inputs
        mapped = map_captions(aligner, params, captions.reshape(-1, captions.shape[-1]), number)
        scores = jnp.einsum("pmd,pnd->pmn", mapped.reshape(captions.shape), rows)
        own = jnp.diagonal(scores, axis1=1, axis2=2)
        return jnp.stack([jnp.mean(jnp.max(scores, axis=axis) == own) for axis in (2, 1)])

    return jnp.mean(jax.lax.map(one_language, (text, jnp.arange(len(text)))), axis=0)


def _truth(result: SweepResult, per_fold: list[str], fresh: tuple[Array, Array]) -> dict[str, float]:
    """R@1 of the maps of each fold on fresh images, the mean over folds."""
    outcomes = {outcome.name: outcome for outcome in result.outcomes}
    known: dict[str, Array] = {}
    each = []
    for fold, name in enumerate(per_fold):
        if name == IDENTITY:
            if name not in known:
                known[name] = _recall(result.plan.space.aligner(IDENTITY, Recipe()), {}, *fresh)
            each.append(known[name])
            continue
        outcome = outcomes[name]
        assert outcome.trial is not None
        aligner = result.plan.space.aligner(outcome.trial.aligner, outcome.trial.recipe)
        each.append(_recall(aligner, outcome.params[fold], *fresh))
    t2i, i2t = np.mean([np.asarray(one) for one in each], axis=0)
    return {"t2i": float(t2i), "i2t": float(i2t), "both": float(t2i + i2t) / 2}


def _claims(estimates: dict[str, Any], truth: dict[str, float]) -> dict[str, Claim]:
    return {
        direction: Claim(*(estimates[direction]["R@1"][key] for key in ("mean", "low", "high")), truth[direction])
        for direction in DIRECTIONS
    }
