"""Summaries of evaluations, made by hand."""

import numpy as np
from made_summaries import Summary, estimate, metrics

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
