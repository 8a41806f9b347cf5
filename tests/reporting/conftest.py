"""Small summaries made by hand."""

from collections.abc import Callable
from typing import Any

import pytest

Summary = dict[str, Any]


def figure(mean: float, std: float | None, *, delta: bool = False) -> dict[str, float | None]:
    extra = {"p": None, "p_adjusted": None} if delta else {}
    return {"mean": mean, "std": std, "low": None, "high": None, **extra}


def metrics(t2i: float, i2t: float, std: float | None, languages: tuple[str, ...], *, delta: bool = False) -> Summary:
    """Every metric of a direction is the same number."""

    def one(value: float) -> Summary:
        names = ("R@1", "R@5", "R@10", "MRR", "mAP", "median_rank")
        return {name: figure(value, std, delta=delta) for name in names}

    return {
        direction: {**one(value), "per_language": {language: one(value) for language in languages}}
        for direction, value in (("t2i", t2i), ("i2t", i2t))
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
) -> Summary:
    """A summary where identity is .500 both ways; each family is pivot, aligner, loss and its change of t2i and i2t.

    The last family is the one selected. The gallery has 20 images, and training is .100 above the holdout.
    """
    families = families or (("image", "residual", "infonce", 0.041, -0.0002),)

    def part(t2i: float, i2t: float) -> Summary:
        return {
            "epochs": [*epochs],
            "selection": figure(0.6 + t2i, std),
            "metrics": metrics(0.5 + t2i, 0.5 + i2t, std, languages),
            "delta": metrics(t2i, i2t, std, languages, delta=True),
            "train_metrics": metrics(0.6 + t2i, 0.6 + i2t, std, languages),
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
    return {
        "schema": 1,
        "data": {
            **{"name": name, "sha256": "abc", "images": 100, "languages": [*languages]},
            **{"captions": dict.fromkeys(languages, 100), "d_text": 4, "d_image": 4},
        },
        "protocol": protocol,
        "folds": folds,
        "notes": [*notes],
        "baselines": {
            "identity": metrics(0.5, 0.5, std, languages),
            "chance": metrics(0.05, 0.05, std, languages),
            "identity_train": metrics(0.51, 0.49, std, languages),
        },
        "trials": trials,
        "families": [{key: trial[key] for key in trial if key not in ("name", "hyper", "curve")} for trial in trials],
        "selected": {"per_fold": [*(chosen or (best,) * folds)], **part(*families[-1][3:])},
        "best": best,
    }


@pytest.fixture
def make() -> Callable[..., Summary]:
    """`make(*families, ...)` is a summary; see `make_summary`."""
    return make_summary
