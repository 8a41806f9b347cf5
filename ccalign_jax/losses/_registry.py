"""The losses that a sweep knows by name, each behind the same call."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from jaxtyping import Array

from ccalign_jax.losses._contrastive import clip_loss
from ccalign_jax.losses._regression import cosine_loss, mse_loss
from ccalign_jax.numerics import unit_rows

__all__ = ["LOSSES", "BatchLoss", "LossEntry"]


class BatchLoss(Protocol):
    """A loss as `fit` calls it: raw rows in, whatever it does not use ignored."""

    def __call__(
        self,
        anchors: Array,
        targets: Array,
        *,
        temperature: Array,
        mask: Array,
        target_mask: Array,
        groups: Array,
        mask_positives: bool,
        i2t_pool: Literal["union", "per_language"],
        axis_name: str | None,
    ) -> Array: ...


class LossEntry(NamedTuple):
    """A named loss: its call, whether it pushes apart (has negatives), the hyper-parameters it reads."""

    call: BatchLoss
    has_negatives: bool
    reads: frozenset[str]
    summary: str


def _infonce(anchors, targets, *, temperature, mask, target_mask, groups, mask_positives, i2t_pool, axis_name):
    return clip_loss(
        unit_rows(anchors),
        unit_rows(targets),
        temperature=temperature,
        mask=mask,
        image_mask=target_mask,
        groups=groups,
        mask_positives=mask_positives,
        i2t_pool=i2t_pool,
        axis_name=axis_name,
    )


def _mse(anchors, targets, *, mask, target_mask, axis_name, **_unused):
    return mse_loss(anchors, targets, mask=mask & target_mask, axis_name=axis_name)


def _cosine(anchors, targets, *, mask, target_mask, axis_name, **_unused):
    return cosine_loss(anchors, targets, mask=mask & target_mask, axis_name=axis_name)


LOSSES: dict[str, LossEntry] = {
    "infonce": LossEntry(_infonce, True, frozenset({"temperature"}), "symmetric InfoNCE, known positives masked"),
    "mse": LossEntry(_mse, False, frozenset(), "squared distance to the target"),
    "cosine": LossEntry(_cosine, False, frozenset(), "1 - cosine to the target"),
}
