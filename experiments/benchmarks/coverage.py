"""Whether calibrated scores keep what they promise, over many splits into images to fit on and images to measure on.

python experiments/benchmarks/coverage.py                                        # the synthetic set, and a null of it
python experiments/benchmarks/coverage.py --data=flickr8k5.npz,coco500_clip.npz
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from absl import app, flags

if TYPE_CHECKING:
    import numpy as np

    from ccalign_jax.data import EmbeddingSet

flags.DEFINE_list("data", ["synthetic"], "sets of embeddings; of those with official splits the test images")
flags.DEFINE_list("languages", None, "of these alone")
flags.DEFINE_integer("splits", 1000, "of the images, for coverage", lower_bound=10)
flags.DEFINE_integer("pair_splits", 50, "of the images, for probabilities and thresholds", lower_bound=2)
flags.DEFINE_float("coverage", 0.9, "that sets promise", lower_bound=0.5, upper_bound=0.99)
flags.DEFINE_integer("most", 1000, "images of a set", lower_bound=50)
FLAGS = flags.FLAGS
HEADINGS = (
    "set, scores, language",
    "coverage, one caption",
    "expected",
    "± 95 %",
    "within the 95 % band",
    "all captions",
    "nearest",
    "error, logistic",
    "error, isotonic",
    "recall kept",
)


def main(argv: list[str]) -> None:
    """Print a line for each set, its scores as they are, mapped and of shuffled pairs, and each language."""
    del argv
    import numpy as np

    print(" | ".join(HEADINGS))
    for name in FLAGS.data:
        data = load(name)
        for language in data.languages:
            scores, owner, images = dict(states(data, language)), data.image_of[language], len(data)
            olds = scores["identity"]
            random = np.random.default_rng(0)
            for state, matrix in scores.items():
                own = matrix[np.arange(len(owner)), owner].astype(np.float64)
                place = (matrix >= own[:, None]).sum(axis=1).astype(np.float64)
                first = np.unique(owner, return_index=True)[1]
                cells = [*covered(-own[first], owner[first], random)]
                cells += [covered(-own, owner, random)[0], covered(place, owner, random)[0]]
                cells += pair_errors(olds, matrix, owner, images, random)
                print(f"{data.name}, {state}, {language} | " + " | ".join(f"{cell:.4f}" for cell in cells), flush=True)
            share = covered_by_training(data, language, random)
            print(f"{data.name}, {language}: coverage {share:.4f} where pairs that trained a ridge map calibrate it")


def load(name: str) -> EmbeddingSet:
    """A set, of its test images where it has official splits, at most `--most`."""
    import numpy as np

    from ccalign_jax.study import read_data

    data = read_data(name, languages=FLAGS.languages)
    if data.split is not None:
        data = data.take(np.flatnonzero(data.split == "test"))
    chosen = np.sort(np.random.default_rng(0).permutation(len(data))[: FLAGS.most])
    return data.take(chosen)


def states(data: EmbeddingSet, language: str) -> Iterator[tuple[str, np.ndarray]]:
    """Scores `[m, n]` of captions with all images: as they are, by a ridge map of others, and of shuffled pairs."""
    import numpy as np

    from ccalign_jax.evaluation.evaluated_set import unit_sets
    from ccalign_jax.numerics import unit_float32

    (text,), image = unit_sets(data, (language,))
    owner = data.image_of[language]
    yield "identity", text @ image.T
    halves = np.random.default_rng(1).permutation(len(image)) % 2 == 0
    mapped = np.empty_like(text)
    for part in (halves, ~halves):  # each caption by a map of the other half; the maps differ, so mix their scores
        rows, targets = text[part[owner]], image[owner[part[owner]]]
        weight = np.linalg.solve(rows.T @ rows + 10 * np.eye(rows.shape[1]), rows.T @ targets)
        mapped[~part[owner]] = unit_float32(text[~part[owner]] @ weight)
    yield "ridge", mapped @ image.T
    shuffled = np.random.default_rng(2).permutation(len(image))
    yield "null", text @ image[shuffled].T


def covered(values: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> tuple[float, ...]:
    """Coverage of the images of one half by the bound of the other.

    Returns:
        The mean over splits; for one caption an image and no ties what it is expected to be, and within how much of it
        95 % of such means lie; the share of splits in the 95 % band of one split.
    """
    import numpy as np
    from scipy.stats import betabinom

    from ccalign_jax.calibration import conformal_bound, coverage_band

    names, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    shares = []
    for _ in range(FLAGS.splits):
        fitted = (random.permutation(len(names)) % 2 == 0)[place]
        inside = values <= conformal_bound(values[fitted], groups[fitted], FLAGS.coverage)
        shares.append(np.average(inside[~fitted], weights=1 / counts[place][~fitted]))
    fitted, tested = (len(names) + 1) // 2, len(names) // 2
    bound = int(np.ceil(FLAGS.coverage * (fitted + 1) - 1e-9))
    mean, variance = betabinom.stats(tested, bound, fitted + 1 - bound)
    low, high = coverage_band(fitted, tested, FLAGS.coverage)
    within = np.mean([low - 1e-9 <= share <= high + 1e-9 for share in shares])
    wide = 1.96 * np.sqrt(variance / FLAGS.splits) / tested
    return float(np.mean(shares)), float(mean / tested), float(wide), float(within)


def covered_by_training(data: EmbeddingSet, language: str, random: np.random.Generator) -> float:
    """Mean coverage of new captions by bounds from the pairs that a map was fitted on, which have no guarantee."""
    import numpy as np

    from ccalign_jax.calibration import conformal_bound
    from ccalign_jax.evaluation.evaluated_set import unit_sets
    from ccalign_jax.numerics import unit_float32

    (text,), image = unit_sets(data, (language,))
    owner, shares = data.image_of[language], []
    for _ in range(FLAGS.pair_splits):
        fitted = (random.permutation(len(image)) % 2 == 0)[owner]
        rows, targets = text[fitted], image[owner[fitted]]
        weight = np.linalg.solve(rows.T @ rows + 0.1 * np.eye(rows.shape[1]), rows.T @ targets)
        values = -(unit_float32(text @ weight) * image[owner]).sum(axis=1)
        bound = conformal_bound(values[fitted], owner[fitted], FLAGS.coverage)
        shares.append((values[~fitted] <= bound).mean())
    return float(np.mean(shares))


def pair_errors(
    olds: np.ndarray, news: np.ndarray, owner: np.ndarray, images: int, random: np.random.Generator
) -> list[float]:
    """Mean calibration error of each fit, and the mean recall of a translated threshold, on the other images.

    The old threshold has a recall of .8 on the images to fit on. NaN where no pair has a probability of 1 %.
    """
    import numpy as np

    from ccalign_jax.calibration import (
        count_scores,
        fit_isotonic,
        fit_platt,
        operating_points,
        reliability,
        translate_threshold,
    )

    found = []
    for _ in range(FLAGS.pair_splits):
        half = random.permutation(images) % 2 == 0
        counts = []
        for part in (half, ~half):
            captions = np.flatnonzero(part[owner])
            captions = np.sort(random.permutation(captions)[:1000])
            right = owner[captions][:, None] == np.flatnonzero(part)
            counts.append([count_scores(each[captions][:, part].round(4), right) for each in (olds, news)])
        errors = []
        for fit in (fit_platt, fit_isotonic):
            given = fit(counts[0][1]).probabilities(counts[1][1].scores)
            shown = given >= 0.01
            share = counts[1][1].right / counts[1][1].total
            errors.append(
                reliability(given[shown], share[shown], counts[1][1].total[shown]).error if shown.any() else np.nan
            )
        before, after = map(operating_points, counts[0])
        old = float(before.thresholds[np.flatnonzero(before.recall >= 0.8)[-1]])
        new = translate_threshold(before, after, old, keep="recall")
        found.append([*errors, operating_points(counts[1][1]).at(new)[1]])
    return [float(np.mean([one for one in column if one == one] or [np.nan])) for column in zip(*found, strict=True)]


if __name__ == "__main__":
    app.run(main)
