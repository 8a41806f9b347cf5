"""Language probes: accuracy of a linear classifier, with the seed study's random split and with a split by image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ccalign_jax.numerics import AnyArray

__all__ = ["Probe", "fit_logistic", "language_probe", "language_probe_by_image", "stratified_split"]

SAMPLE_ROWS = 2000
TEST_SHARE = 0.3


class Probe(NamedTuple):
    """Accuracy of a language probe on rows that it was not fitted to.

    Attributes:
        accuracy: in [0, 1].
        chance: one over the number of languages.
        rows: rows fitted and tested on.
        shuffled: accuracy with shuffled labels, the control of the same protocol; None where it was not asked for.
    """

    accuracy: float
    chance: float
    rows: int
    shuffled: float | None = None


def language_probe(text: Mapping[str, Float[AnyArray, "n d"]]) -> Probe:
    """Language probe of the seed study: 2,000 random rows of each language, a random 30 % of them for test.

    One `default_rng(0)` draws from each language in the order given; the split is scikit-learn's stratified one with
    random_state 0. Translations of one caption fall on both sides: near the boundary of aligned languages a row's
    nearest neighbours are its translations, labelled otherwise. `language_probe_by_image` has no such leak.

    Args:
        text: unit rows of each language, at least two.

    Raises:
        ValueError: fewer than two languages.

    Example:
        >>> draw = np.random.default_rng(0).normal(size=(2, 40, 3))
        >>> language_probe({"de": draw[0] + [9, 0, 0], "en": draw[1]}).accuracy
        1.0
    """
    _check(text)
    generator = np.random.default_rng(0)
    parts = []
    for rows in text.values():
        rows = np.asarray(rows)
        parts.append(rows[generator.choice(len(rows), min(SAMPLE_ROWS, len(rows)), replace=False)])
    rows = np.concatenate(parts)
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    train, test = stratified_split(labels)
    return Probe(_accuracy(rows, labels, train, test, len(parts)), 1 / len(parts), len(rows))


def language_probe_by_image(text: Mapping[str, Float[AnyArray, "n d"]], *, control: bool = True) -> Probe:
    """Language probe with all captions of an image on one side of the split, and its control with shuffled labels.

    Args:
        text: unit rows of each language, at least two; row i of each describes image i.
        control: fit a second time, with the labels of each image's captions shuffled among them.

    Raises:
        ValueError: fewer than two languages, or languages that differ in their rows.

    Example:
        >>> draw = np.random.default_rng(0).normal(size=(2, 40, 3))
        >>> language_probe_by_image({"de": draw[0] + [9, 0, 0], "en": draw[1]}).accuracy
        1.0
    """
    _check(text)
    if len({len(rows) for rows in text.values()}) != 1:
        raise ValueError(f"rows differ: { {name: len(rows) for name, rows in text.items()} }; give common images")
    generator = np.random.default_rng(0)
    count = len(next(iter(text.values())))
    images = generator.choice(count, min(SAMPLE_ROWS, count), replace=False)
    held_out = max(1, round(TEST_SHARE * len(images)))
    rows = np.stack([np.asarray(part)[images] for part in text.values()], axis=1)  # [images, languages, d]
    labels = np.tile(np.arange(len(text)), (len(images), 1))

    def score(labels: Int[np.ndarray, "n l"]) -> float:
        order = np.arange(labels.size).reshape(labels.shape)
        test, train = order[:held_out].ravel(), order[held_out:].ravel()
        return _accuracy(rows.reshape(labels.size, -1), labels.ravel(), train, test, len(text))

    shuffled = score(generator.permuted(labels, axis=1)) if control else None
    return Probe(score(labels), 1 / len(text), labels.size, shuffled)


def fit_logistic(
    rows: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], classes: int, *, steps: int = 30
) -> tuple[Float[np.ndarray, "d c"], Float[np.ndarray, " c"]]:
    """Multinomial logistic regression, summed log-loss + ½‖weight‖², intercepts free: C = 1, to convergence.

    Newton's method; conjugate gradients solve each step, preconditioned with the Hessian at equal probabilities. Two
    classes are fitted as scikit-learn fits them, by one vector of weights: that is twice the penalty on two.

    Args:
        rows: `[n, d]`.
        labels: `[n]` in 0 … classes − 1.
        classes: ≥ 2.
        steps: Newton steps at most; the gradient has usually vanished after five.

    Returns:
        weight `[d, classes]` and intercept `[classes]`, float64.
    """
    design = np.concatenate([np.asarray(rows, np.float64), np.ones((len(rows), 1))], axis=1)
    penalty = np.full((design.shape[1], 1), 2.0 if classes == 2 else 1.0)
    penalty[-1] = 0.0
    truth = np.eye(classes)[labels]
    # The inside of a step need not be exact.
    rough, rough_penalty = design.astype(np.float32), penalty.astype(np.float32)
    curvature = rough.T @ rough / classes
    curvature[np.diag_indices(len(curvature))] += rough_penalty[:, 0] + 1e-6 * len(rows)
    precondition = np.linalg.inv(curvature)
    weight = np.zeros((design.shape[1], classes))

    def evaluate(weight):
        logits = design @ weight
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return 0.5 * np.sum(penalty * weight**2) - np.sum(truth * logits), np.exp(logits)

    value, chances = evaluate(weight)
    for _ in range(steps):
        gradient = design.T @ (chances - truth) + penalty * weight
        size = np.linalg.norm(gradient)
        if size <= 1e-8 * len(rows) ** 0.5:
            break

        rounded = chances.astype(np.float32)

        def product(step, chances=rounded):
            spread = chances * (rough @ step)
            spread -= chances * spread.sum(axis=1, keepdims=True)
            return rough.T @ spread + rough_penalty * step

        tolerance = float(np.clip((size / len(rows)) ** 0.5, 1e-4, 0.1))
        target = -gradient.astype(np.float32)
        step = _conjugate_gradients(product, target, precondition, tolerance=tolerance).astype(np.float64)
        slope, scale = np.sum(gradient * step), 1.0
        trial, trial_chances = evaluate(weight + step)
        while trial > value + 1e-4 * scale * slope + 1e-12 * abs(value) and scale > 1e-6:
            scale /= 2
            trial, trial_chances = evaluate(weight + scale * step)
        weight, value, chances = weight + scale * step, trial, trial_chances
    return weight[:-1], weight[-1]


def stratified_split(labels: Int[np.ndarray, " n"], *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(train, test) rows of scikit-learn's `train_test_split(test_size=0.3, stratify=labels, random_state=seed)`.

    Args:
        labels: `[n]` in 0 … classes − 1, each at least twice.

    Example:
        >>> train, test = stratified_split(np.repeat([0, 1], 10))
        >>> len(train), len(test)
        (14, 6)
    """
    state = np.random.RandomState(seed)
    count = np.bincount(labels)
    in_test = math.ceil(TEST_SHARE * len(labels))
    train_counts = _proportional(count, len(labels) - in_test, state)
    test_counts = _proportional(count - train_counts, in_test, state)
    train, test = [], []
    for label, (first, second) in enumerate(zip(train_counts, test_counts, strict=True)):
        rows = np.flatnonzero(labels == label)[state.permutation(count[label])]
        train.append(rows[:first])
        test.append(rows[first : first + second])
    return state.permutation(np.concatenate(train)), state.permutation(np.concatenate(test))


def _proportional(counts: np.ndarray, draws: int, state: np.random.RandomState) -> np.ndarray:
    """`draws` allotted in proportion to `counts`, remainders to the largest, ties among them at random."""
    exact = counts / counts.sum() * draws
    given = np.floor(exact)
    left = int(draws - given.sum())
    remainder = exact - given
    for value in np.unique(remainder)[::-1]:
        if left <= 0:
            break
        tied = np.flatnonzero(remainder == value)
        chosen = state.choice(tied, size=min(len(tied), left), replace=False)
        given[chosen] += 1
        left -= len(chosen)
    return given.astype(int)


def _conjugate_gradients(product, target, precondition, *, tolerance: float, steps: int = 200):
    """x with product(x) = target, to `tolerance` of the size of the target."""
    x, residual = np.zeros_like(target), target
    direction = forward = precondition @ residual
    energy = np.sum(residual * forward)
    for _ in range(steps):
        image = product(direction)
        length = energy / np.sum(direction * image)
        x, residual = x + length * direction, residual - length * image
        if np.linalg.norm(residual) <= tolerance * np.linalg.norm(target):
            break
        forward = precondition @ residual
        energy, before = np.sum(residual * forward), energy
        direction = forward + energy / before * direction
    return x


def _accuracy(rows, labels, train, test, classes: int) -> float:
    weight, intercept = fit_logistic(rows[train], labels[train], classes)
    return float(np.mean(np.argmax(rows[test] @ weight + intercept, axis=1) == labels[test]))


def _check(text: Mapping[str, Float[AnyArray, "n d"]]) -> None:
    if len(text) < 2:
        raise ValueError(f"the probe needs two languages; there is only {', '.join(text) or 'none'}")
