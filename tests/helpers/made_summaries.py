"""Summaries of sweeps, made by hand."""

from typing import Any

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
