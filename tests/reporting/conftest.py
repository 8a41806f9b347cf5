"""Small summaries made by hand."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from ccalign_jax.reporting.table import Table

Summary = dict[str, Any]


HALF = 0.02  # of every interval; what changes by more is no accident
SURE, UNSURE = 0.0004, 0.4


def estimate(mean: float, std: float | None = None, *, delta: bool = False) -> dict[str, float | None]:
    p = SURE if abs(mean) > HALF else UNSURE
    extra = {"p": p, "p_adjusted": p, "p_folds": None if std is None else 0.01} if delta else {}
    return {"mean": mean, "std": std, "low": mean - HALF, "high": mean + HALF, **extra}


def word(change: float, gain: str) -> str:
    return "no evidence" if abs(change) <= HALF else gain if change > 0 else "loss"


def metrics(t2i: float, i2t: float, std: float | None, languages: tuple[str, ...], *, delta: bool = False) -> Summary:
    """Every metric of a direction is the same number."""

    def one(value: float) -> Summary:
        names = ("R@1", "R@5", "R@10", "MRR", "mAP", "median_rank", "nDCG@10")
        return {name: estimate(value, std, delta=delta) for name in names}

    return {
        direction: {**one(value), "per_language": {language: one(value) for language in languages}}
        for direction, value in (("t2i", t2i), ("i2t", i2t), ("both", (t2i + i2t) / 2))
    }


def only(direction_figures: Summary) -> Summary:
    """R@1 of each direction alone."""
    return {direction: {"R@1": figures["R@1"]} for direction, figures in direction_figures.items()}


def make_where(t2i: float, i2t: float, languages: tuple[str, ...]) -> Summary:
    """Two bins by difficulty, of which the second gains .05 more; one language is .1 behind, and .04 after."""

    def each(name: str, images: int, extra: float) -> Summary:
        delta = metrics(t2i + extra, i2t + extra, None, languages, delta=True)
        return {
            **{"name": name, "images": images, "identity": only(metrics(0.5, 0.5, None, languages))},
            "delta": only(delta),
        }

    bins = [each("alone", 40, 0.0), each("crowded", 60, 0.05)]
    sides = {"before": 0.1, "after": 0.04}
    disparity = {
        way: {
            **{
                side: {"best": languages[-1], "worst": languages[0], "difference": estimate(value)}
                for side, value in sides.items()
            },
            "change": estimate(-0.06, delta=True),
        }
        for way in ("t2i", "i2t")
    }
    return {
        **({"disparity": disparity} if len(languages) > 1 else {}),
        "difficulty": {"what": "images by their nearest other image", "bins": bins},
        "captions": {"what": "images by their number of captions", "bins": [each("1", 30, 0.0), each("2", 70, 0.0)]},
    }


def make_summary(
    *families: tuple[str, str, str, float, float],
    folds: int = 5,
    protocol: str = "nested",
    std: float | None = 0.01,
    languages: tuple[str, ...] = ("de", "en"),
    chosen: tuple[str, ...] | None = None,
    epochs: tuple[int, ...] = (2, 3),
    name: str = "toy",
    notes: tuple[str, ...] = (),
    where: bool = False,
) -> Summary:
    """A summary where identity is .500 both ways; each family is pivot, aligner, loss and its change of t2i and i2t.

    The last family is the one selected. The gallery has 20 images, and training is .100 above the holdout.
    """
    families = families or (("image", "residual", "infonce", 0.041, -0.0002),)
    gain = "claimed gain" if protocol == "seed" else "gain"

    def part(t2i: float, i2t: float) -> Summary:
        train = metrics(0.6 + t2i, 0.6 + i2t, std, languages)
        return {
            "epochs": [*epochs],
            "selection": estimate(0.6 + t2i, std) | {"low": None, "high": None},
            "metrics": metrics(0.5 + t2i, 0.5 + i2t, std, languages),
            "delta": metrics(t2i, i2t, std, languages, delta=True),
            "train_metrics": train,
            "gap": {way: {"R@1": estimate(0.1, std)} for way in train},
            "verdict": {way: word(x, gain) for way, x in {"t2i": t2i, "i2t": i2t, "both": (t2i + i2t) / 2}.items()},
        }

    trials = [
        {
            "name": f"{pivot}/{aligner}/{loss}",
            **{"pivot": pivot, "aligner": aligner, "loss": loss},
            "hyper": {"learning_rate": 0.001 * (number + 1), "l2": 0.0005},
            "per_fold": [f"{pivot}/{aligner}/{loss}"] * folds,
            **part(t2i, i2t),
            "curve": {key: [0.5, 0.55, 0.6, 0.58] for key in ("t2i_R@1", "i2t_R@1", "MRR")},
        }
        for number, (pivot, aligner, loss, t2i, i2t) in enumerate(families)
    ]
    best = trials[-1]["name"]
    chance = metrics(0.05, 0.05, std, languages)
    for direction in chance.values():
        for one in (direction, *direction["per_language"].values()):
            for figures in one.values():
                figures.update({"low": 0.05, "high": 0.05} if "mean" in figures else {})
    claims = {"claimed": 0.022, "honest": 0.009, "optimism": 0.013}
    return {
        "schema": 1,
        "data": {
            **{"name": name, "sha256": "abc", "images": 100, "languages": [*languages]},
            **{"captions": dict.fromkeys(languages, 100), "d_text": 4, "d_image": 4},
        },
        "protocol": protocol,
        "folds": folds,
        **{"repeats": 1, "inner": "a fifth of the training images" if protocol == "nested" else "the reported folds"},
        "statistics": {"level": 0.95, "replicates": 10000, "flips": 10000, "clusters": 100, "cluster": "image"},
        "notes": [*notes],
        "baselines": {
            "identity": metrics(0.5, 0.5, std, languages),
            "chance": chance,
            "identity_train": metrics(0.51, 0.49, std, languages),
        },
        "trials": trials,
        "families": [{key: trial[key] for key in trial if key not in ("name", "hyper", "curve")} for trial in trials],
        "selected": {"per_fold": [*(chosen or (best,) * folds)], **part(*families[-1][3:])},
        "best": best,
        **({"subgroups": make_where(*families[-1][3:], languages)} if where else {}),
        **({"optimism": {way: {"R@1": claims} for way in ("t2i", "i2t", "both")}} if protocol == "seed" else {}),
    }


NEW = ("gap", "verdict", "statistics", "subgroups", "optimism", "repeats", "inner", "p_folds")


def as_before(tree: Any) -> Any:
    """A summary as it was before there were intervals and tests."""
    if isinstance(tree, list):
        return [as_before(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    unknown = dict.fromkeys({"low", "high", "p", "p_adjusted"} & tree.keys()) if "mean" in tree else {}
    return {key: as_before(value) for key, value in tree.items() if key not in NEW} | unknown


@pytest.fixture(scope="session")
def row() -> Callable[[Table, str], tuple[str, ...]]:
    """`row(table, name)` is the cells of the only row of that name."""

    def find(table: Table, name: str) -> tuple[str, ...]:
        (found,) = [cells[1:] for cells in table.rows if cells[0] == name]
        return tuple(found)

    return find


@pytest.fixture(scope="session")
def block() -> Callable[[Table, str], dict[str, tuple[str, ...]]]:
    """`block(table, heading)` is the rows below a heading, up to the next one, by name."""

    def find(table: Table, heading: str) -> dict[str, tuple[str, ...]]:
        start, found = [cells[0] for cells in table.rows].index(heading) + 1, {}
        for name, *cells in table.rows[start:]:
            if not any(cells):
                break
            found[name] = tuple(cells)
        return found

    return find


@pytest.fixture
def before() -> Callable[[Summary], Summary]:
    """`before(summary)` is the same summary, written before there were intervals and tests; see `as_before`."""
    return as_before


@pytest.fixture
def make() -> Callable[..., Summary]:
    """`make(*families, ...)` is a summary; see `make_summary`."""
    return make_summary


SINGLE = {
    **{"effective_rank": 60.0, "effective_rank_roy_vetterli": 150.0, "pca90_components": 68, "iso_score": 0.15},
    **{"mean_pairwise_cosine": 0.3, "PoZ": 0.03, "PoZ_relative": 0.04, "entropy": 1.06, "entropy_relative": 2.1},
    **{"hub_skew": 1.2, "hub_ratio_1pct": 0.035, "hub_skew_ties_shared": 1.1, "hub_ratio_1pct_ties_shared": 0.034},
}
ACROSS = {
    **{"modality_gap": 0.85, "hub_skew_t2i": 1.9, "hub_ratio_1pct_t2i": 0.06, "hub_skew_i2t": 0.8},
    "hub_ratio_1pct_i2t": 0.029,
}
PAIRED = {
    **{"gram_correlation": 0.6, "gram_rank_correlation": 0.58, "biased_cka": 0.62, "unbiased_cka": 0.61},
    **{"neighbour_jaccard": 0.16, "mutual_neighbours": 0.24, "cknna": 0.26},
}
WAYS = ("t2i", "i2t", "both")
TASKS = {
    "t2i": 0.10,
    "i2t": 0.12,
    "both": 0.11,
    "t2t": 0.40,
    "via_image": 0.06,
    "via_image_soft": 0.07,
    "via_image_oracle": 0.09,
}


def scored(task: str, languages: tuple[str, ...], shift: float = 0.0, *, delta: bool = False) -> Summary:
    """R@1 is the task's, plus .01 for each language after the first; other metrics are larger by fixed steps."""
    names = list(languages)
    if task not in WAYS:
        names = [f"{first}->{second}" for first in languages for second in languages if first != second]
    steps = {"R@1": 0.0, "R@5": 0.2, "R@10": 0.3, "MRR": 0.1, "mAP": 0.05, "median_rank": 20.0, "nDCG@10": 0.15}

    def one(extra: float) -> Summary:
        if delta:
            return {
                metric: estimate(-100 * shift if metric == "median_rank" else shift, None, delta=True)
                for metric in steps
            }
        start = TASKS[task] + shift + extra
        values = {metric: start + step for metric, step in steps.items()}
        values["median_rank"] = 20.0 - 100 * shift
        return {metric: estimate(value, None) for metric, value in values.items()}

    each = {name: 0.01 * languages.index(name.partition("->")[0]) for name in names}
    macro = one(sum(each.values()) / len(each))
    return {**macro, "per_language": {name: one(extra) for name, extra in each.items()}}


def diagnosed(languages: tuple[str, ...], shift: float, *, nulls: bool = True) -> Summary:
    """As `ccalign_jax.diagnostics.diagnose` returns it; every figure is raised by the share `shift`."""

    def raised(figures: Summary) -> Summary:
        return {name: value * (1 + shift) for name, value in figures.items()}

    def null(value: float) -> Summary:
        return {
            **{"value": value - 0.01, "null_mean": 0.02, "null_std": 0.01, "p": 0.005, "gated": value - 0.1},
            "calibrated": (value - 0.03) / 0.98,
        }

    count, paired = len(languages), raised(PAIRED)
    pairs = [f"{a}|{b}" for place, a in enumerate(languages) for b in languages[place + 1 :]]
    each = {name: raised({**SINGLE, **ACROSS}) for name in languages}
    with_image = {name: value / 2 for name, value in paired.items()}
    spectrum = (np.exp(-np.arange(8) * (1 - shift) / 2)).tolist()
    probe = {"accuracy": 0.5 * (1 + shift), "chance": 1 / count, "rows": 60}
    return {
        **{"rows": 90, "sampled_rows": 60, "neighbours": 10, "languages": [*languages], "per_language": each},
        **{"macro": raised({**SINGLE, **ACROSS}), "image": dict(SINGLE)},
        "between_languages": {
            name: {
                "matrix": (np.full((count, count), value) + (1 - value) * np.eye(count)).tolist(),
                "mean": value if pairs else None,
            }
            for name, value in paired.items()
        },
        "with_image": {
            name: {"per_language": dict.fromkeys(languages, value), "mean": value} for name, value in with_image.items()
        },
        **{"spectra": dict.fromkeys(languages, spectrum), "spectra_image": np.exp(-np.arange(8) / 4).tolist()},
        **({"probe": {"seed": {**probe, "shuffled": None}, "by_image": {**probe, "shuffled": 0.3}}} if pairs else {}),
        **(
            {
                "nulls": {
                    **{"rows": 50, "permutations": 200},
                    "between_languages": {n: {pair: null(v) for pair in pairs} for n, v in paired.items()},
                    "with_image": {n: {name: null(v) for name in languages} for n, v in with_image.items()},
                }
            }
            if nulls
            else {}
        ),
    }


def linear_map() -> Summary:
    """As `ccalign_jax.diagnostics.diagnose_map` returns it."""
    return {
        **{"singular_values": [2.0, 1.0, 0.5], "condition": 4.0, "effective_rank": 2.5, "deviation": 1.12},
        **{"relative_deviation": 0.645, "orthogonality": 0.2, "rotation_degrees": [30.0, 30.0, 0.0]},
        **{"rotation_mean": 20.0, "rotation_max": 30.0},
    }


def make_evaluation_summary(
    languages: tuple[str, ...] = ("de", "en", "zh"), *, mapped: bool = True, name: str = "toy", each_map: bool = False
) -> Summary:
    """Everything that an evaluation may hold: t2i rises by .020, i2t falls by .010, the rest rises by .030."""
    changes = {task: {"t2i": 0.02, "i2t": -0.01, "both": 0.005}.get(task, 0.03) for task in TASKS}
    tasks = [task for task in TASKS if len(languages) > 1 or task in WAYS]
    states = {"identity": 0.0, "mapped": 0.1} if mapped else {"identity": 0.0}

    def both(extra: float, state: str) -> Summary:
        shifts = {way: extra + changes[way] * (state == "mapped") for way in WAYS}
        levels = {way: scored(way, languages, shift) for way, shift in shifts.items()}
        return levels | {"delta": {way: scored(way, languages, shift, delta=True) for way, shift in shifts.items()}}

    scores = {"cosine": 0.0, "centred_cosine": 0.005, "csls": 0.02, "inverted_softmax": 0.01, "nnn": 0.015}
    curve = {"identity": [0.7, 0.4, 0.1], "mapped": [0.72, 0.43, 0.12], "chance": [0.1, 0.03, 0.01]}
    own, other = np.zeros(50), np.zeros(50)
    own[28:32], other[24:29] = 0.25, 0.2
    maps = {"per_language": {language: linear_map() for language in languages}} if each_map else linear_map()
    identity = {task: scored(task, languages) for task in tasks}
    chance = metrics(0.01, 0.01, None, languages)
    summary = {
        "schema": 1,
        "data": {
            **{"name": name, "sha256": "abc", "images": 100, "languages": [*languages]},
            **{"captions": dict.fromkeys(languages, 200), "d_text": 3, "d_image": 3},
        },
        **{"split": "test", "notes": ["left out 3 of 103 images: they have no caption"]},
        "baselines": {"identity": identity, "chance": chance},
        "scores": {
            "bank": {"images": 4000, "transductive": False},
            **{state: {score: both(extra, state) for score, extra in scores.items()} for state in states},
        },
        "pool_curves": {
            direction: {"sizes": [10, 30, 100], **{key: curve[key] for key in (*states, "chance")}}
            for direction in ("t2i", "i2t")
        },
        "similarities": {
            "edges": np.linspace(-1, 1, 51).tolist(),
            **{state: {"positive": own.tolist(), "negative": other.tolist()} for state in states},
        },
        "diagnostics": {state: diagnosed(languages, shift) for state, shift in states.items()},
    }
    if mapped:
        summary |= {
            "name": "image/residual/infonce",
            "training_images": {"known": True, "images": 100, "seen": 0, "by_key": 0, "by_row": 0},
            "metrics": {task: scored(task, languages, changes[task]) for task in tasks},
            "delta": {task: scored(task, languages, changes[task], delta=True) for task in tasks},
            "map": maps,
        }
    return summary


def make_grams(languages: tuple[str, ...] = ("de", "en", "zh"), *, mapped: bool = True) -> Summary:
    """Gram matrices of twelve random unit rows a set."""
    generator = np.random.default_rng(0)

    def gram() -> np.ndarray:
        rows = generator.normal(size=(12, 4))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows @ rows.T).astype(np.float32)

    return {state: {name: gram() for name in (*languages, "image")} for state in ("identity", "mapped")[: 1 + mapped]}


@pytest.fixture
def evaluation() -> Callable[..., Summary]:
    """`evaluation(languages, ...)` is a summary; see `make_evaluation_summary`."""
    return make_evaluation_summary


@pytest.fixture
def grams() -> Callable[..., Summary]:
    """`grams(languages, ...)` go with it; see `make_grams`."""
    return make_grams


class Balance(HTMLParser):
    """Fails on a tag that is not closed in order."""

    empty = ("meta", "br", "use", "path", "rect", "link", "image")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.empty:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in self.empty:
            assert self.open.pop() == tag


@pytest.fixture
def balanced_tags() -> Callable[[str], set[str]]:
    """The tags of a page, once it is certain that each is closed in order."""

    def parse(page: str) -> set[str]:
        parser = Balance()
        parser.feed(page)
        assert parser.open == []
        return parser.tags

    return parse
