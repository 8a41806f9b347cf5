"""The settings of training by name: defaults, the values that each takes, and one line of what it is."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ccalign_jax.errors import InputError

__all__ = ["SETTINGS", "Setting", "scalar"]

LARGEST = 1e38  # beyond it float32 is infinite
LARGEST_SIZE = 2**20  # an array of more is a mistake, and counts of steps leave int32


class Setting(NamedTuple):
    """One setting; the type of its default is its kind: a number, a whole number, a word, or true or false.

    Attributes:
        default: its value where neither a grid nor `--hyper` gives one.
        summary: one line of what it is.
        minimum: the smallest value of a number.
        maximum: the largest.
        excluded: an end of the range that is not allowed itself; None if both are.
        words: those that a word may be.
    """

    default: float | int | bool | str
    summary: str
    minimum: float = 0.0
    maximum: float = LARGEST
    excluded: float | None = None
    words: tuple[str, ...] = ()

    @property
    def is_size(self) -> bool:
        """Whether it is a whole number."""
        return isinstance(self.default, int) and not isinstance(self.default, bool)

    @property
    def allowed(self) -> str:
        """The values that it takes, in words.

        Example:
            >>> SETTINGS["learning_rate"].allowed, SETTINGS["dropout"].allowed, SETTINGS["criterion"].allowed
            ('above 0', 'in [0, 1)', 'mean or t2i')
        """
        if isinstance(self.default, bool):
            return "true or false"
        if self.words:
            return " or ".join(self.words)
        if self.is_size:
            return f"a whole number from {self.minimum:g} to {int(self.maximum)}"
        if self.maximum < LARGEST:
            return f"in [{self.minimum:g}, {self.maximum:g}{')' if self.excluded == self.maximum else ']'}"
        if self.minimum == -LARGEST:
            return "any number"
        return f"{'above' if self.excluded == self.minimum else 'at least'} {self.minimum:g}"

    def takes(self, value: float | int | bool | str) -> bool:
        """Whether a value of its kind is among those allowed.

        Example:
            >>> SETTINGS["learning_rate"].takes(0.0), SETTINGS["epochs"].takes(1.5), SETTINGS["criterion"].takes("t2i")
            (False, False, True)
        """
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        if isinstance(value, str) or self.words:
            return value in self.words
        whole = not self.is_size or value == int(value)
        return whole and self.minimum <= value <= self.maximum and value != self.excluded

    def checked(self, name: str, value: Any) -> Any:
        """A value as its kind; texts, too, are read as numbers.

        Args:
            name: of the setting, and where it is given, for the message.
            value: that is given.

        Raises:
            InputError: it is of another kind, or out of range.
        """
        if isinstance(self.default, bool) or self.words:
            if not self.takes(value):
                raise InputError(f"{name} is {value!r}; it must be {self.allowed}")
            return value
        if isinstance(value, str):
            value = scalar(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
            raise InputError(f"{name} is {value!r}; it must be a finite number")
        if not self.is_size and abs(value) > LARGEST:
            raise InputError(f"{name} is too large; it must be at most {LARGEST:g}")
        if not self.takes(value):
            raise InputError(f"{name} is {value!r}; it must be {self.allowed}")
        return int(value) if self.is_size else float(value)


def scalar(text: str) -> Any:
    """A number, true or false if the text is one, else the text.

    Example:
        >>> scalar("3"), scalar("1e-3"), scalar("True"), scalar("1:30")
        (3, 0.001, True, '1:30')
    """
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text.lower(), text)


def _size(default: int, summary: str, *, minimum: int = 1) -> Setting:
    return Setting(default, summary, minimum=minimum, maximum=LARGEST_SIZE)


# Numbers are fields of `training.Hyper`, all others of `training.Recipe`.
SETTINGS: dict[str, Setting] = {
    "learning_rate": Setting(1e-3, "peak of the schedule", excluded=0.0),
    "l2": Setting(5e-4, "weight decay, added to the clipped gradient before Adam"),
    # Scores divided by less lose their digits, and their exponentials leave float32.
    "temperature": Setting(0.07, "of contrastive losses", minimum=1e-4),
    "prox": Setting(0.0, "weight of the squared distance from identity"),
    "ortho": Setting(0.0, "weight of the squared distance of W'W from I"),
    "clip": Setting(1.0, "largest norm of the gradient; 0: none"),
    "warmup": Setting(24.0, "steps of linear warm-up"),
    "dropout": Setting(0.0, "on hidden layers", maximum=1.0, excluded=1.0),
    "spectral": Setting(0.0, "weight of the squared largest singular value of W - E"),
    "noise": Setting(0.0, "Gaussian noise on rows, as a share of their length"),
    "mix": Setting(0.0, "FuseMix: alpha of the Beta that mixes pairs; 0: none"),
    "image_weight": Setting(1.0, "of images against captions, under the pivot auxiliary"),
    "bias": Setting(-10.0, "of the sigmoid loss", minimum=-LARGEST),
    "margin": Setting(0.2, "of the triplet loss"),
    "uniformity_weight": Setting(1.0, "of uniformity against alignment"),
    "structure_weight": Setting(1.0, "of structure against InfoNCE"),
    "penalty": Setting(1.0, "of closed forms, over the mean eigenvalue; the path of a ridge has its own"),
    "epochs": _size(20, "of training; epoch 0 is the start"),
    "steps_per_epoch": _size(12, "optimiser steps of an epoch"),
    "score_every": _size(0, "epochs between two scores on the inner part; 0: five, or fewer of few epochs", minimum=0),
    "batch_images": _size(32, "images a step; each brings one caption in every language it has"),
    "hidden": _size(512, "width of the hidden layer of MLPs"),
    "rank": _size(32, "of low-rank parts"),
    "features": _size(1024, "of kernel maps"),
    "experts": _size(4, "of mixtures"),
    "neighbours": _size(10, "that RCSLS looks at"),
    "tile": _size(0, "captions and images whose scores exist at one time; 0: as many as suit the batch", minimum=0),
    "learned_temperature": Setting(False, "train the temperature too, from the one given"),
    "replacement": Setting(False, "draw images with replacement"),
    "mask_positives": Setting(True, "known positives are no negatives"),
    "i2t_pool": Setting(
        "union", "an image's rivals: captions of all languages, or of one at a time", words=("union", "per_language")
    ),
    "normalization": Setting("sum", "of prox and ortho, over the entries of W", words=("sum", "mean")),
    "criterion": Setting(
        "mean", "what picks the epoch: mean of t2i R@1, i2t R@1 and MRR, or t2i R@1", words=("mean", "t2i")
    ),
    "start_counts": Setting(True, "whether epoch 0 may be picked"),
    "precision": Setting("float32", "of products in training and in scores of epochs", words=("float32", "bfloat16")),
}
