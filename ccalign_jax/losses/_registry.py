"""Registry of losses by name, all with one signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import ccalign_jax.losses as losses  # whose functions are loaded when first called: names and summaries need no jax
from ccalign_jax._entries import check_entry

if TYPE_CHECKING:
    from jaxtyping import Array

    from ccalign_jax.losses._directions import Pool
    from ccalign_jax.losses._exchange import Exchange
    from ccalign_jax.losses._tiled import Tile

__all__ = ["LOSSES", "BatchLoss", "LossEntry", "register_loss"]


class BatchLoss(Protocol):
    """Signature of a loss in `fit`: rows as they are; arguments that a loss does not use are ignored.

    `original` holds the caption rows before the map, `[languages, b, d_text]`. A setting that is left out
    takes the default of the loss that reads it. `tile` and `exchange` change memory and time only.
    """

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
        i2t_pool: Pool,
        axis_name: str | None,
        original: Array | None = ...,
        bias: Array = ...,
        margin: Array = ...,
        neighbours: int = ...,
        tile: Tile = ...,
        exchange: Exchange = ...,
        uniformity_weight: Array = ...,
        structure_weight: Array = ...,
    ) -> Array: ...


class LossEntry(NamedTuple):
    """A named loss.

    Attributes:
        call: the loss, with the signature that all share.
        has_negatives: whether it has negatives, so that both sides may be trained.
        reads: the settings that change its value, numbers and choices alike.
        summary: one line of what it is.
        tiled: whether it can do without the matrix of scores, and takes a `tile`.
    """

    call: BatchLoss
    has_negatives: bool
    reads: frozenset[str]
    summary: str
    tiled: bool = False


TILING = {"tile", "exchange"}
READABLE = (
    *("temperature", "mask_positives", "i2t_pool", "bias", "margin", "neighbours"),
    *("uniformity_weight", "structure_weight"),
)

Deferred = Callable[[], Callable[..., "Array"]]


def _against_all(loss: Deferred, reads: set[str], summary: str, *, tiled: bool = False) -> LossEntry:
    """Entry of a loss over all pairs of a batch, which is passed the settings that it reads and no others."""
    taken = reads | TILING if tiled else reads

    def call(
        anchors: Array,
        targets: Array,
        *,
        mask: Array,
        target_mask: Array,
        groups: Array,
        axis_name: str | None,
        **settings: Any,
    ) -> Array:
        return loss()(
            _unit(anchors),
            _unit(targets),
            mask=mask,
            image_mask=target_mask,
            groups=groups,
            axis_name=axis_name,
            **{name: settings[name] for name in taken & settings.keys()},
        )

    return LossEntry(call, True, frozenset(reads), summary, tiled)


def _towards_target(loss: Deferred, summary: str) -> LossEntry:
    """Entry of a loss that pulls captions to their targets and has no settings."""

    def call(
        anchors: Array, targets: Array, *, mask: Array, target_mask: Array, axis_name: str | None, **_unread: Any
    ) -> Array:
        return loss()(anchors, targets, mask=mask & target_mask, axis_name=axis_name)

    return LossEntry(call, False, frozenset(), summary)


def _unit(rows: Array) -> Array:
    from ccalign_jax.numerics import unit_rows

    return unit_rows(rows)


def _gram_of_unit_rows(anchors: Array, targets: Array, **masks: Any) -> Array:
    return losses.gram_loss(_unit(anchors), _unit(targets), **masks)


def _infonce_and_structure(
    anchors: Array, targets: Array, *, original: Array | None = None, structure_weight: Any = 1.0, **rest: Any
) -> Array:
    """InfoNCE plus the structure loss, whose minimum alone is the identity; without `original` InfoNCE alone."""
    total = _INFONCE.call(anchors, targets, **rest)
    if original is None:
        return total
    return total + structure_weight * losses.structure_loss(
        _unit(anchors),
        _unit(original),
        temperature=rest["temperature"],
        mask=rest["mask"] & rest["target_mask"],
        axis_name=rest["axis_name"],
    )


_INFONCE = _against_all(
    lambda: losses.clip_loss,
    {"temperature", "mask_positives", "i2t_pool"},
    "symmetric InfoNCE, known positives masked",
    tiled=True,
)

LOSSES: dict[str, LossEntry] = {
    "infonce": _INFONCE,
    "supcon_in": _against_all(
        lambda: partial(losses.supcon_loss, form="in"),
        {"temperature", "i2t_pool"},
        "supervised contrastive, the mean over positives inside the logarithm",
        tiled=True,
    ),
    "supcon_out": _against_all(
        lambda: partial(losses.supcon_loss, form="out"),
        {"temperature", "i2t_pool"},
        "supervised contrastive, the mean over positives outside the logarithm",
        tiled=True,
    ),
    "sigmoid": _against_all(
        lambda: losses.sigmoid_loss,
        {"temperature", "bias"},
        "binary cross-entropy of every caption-image pair",
        tiled=True,
    ),
    "triplet": _against_all(lambda: losses.triplet_loss, {"margin", "i2t_pool"}, "hinge against the hardest rival"),
    "rcsls": _against_all(
        lambda: losses.rcsls_loss,
        {"neighbours", "mask_positives", "i2t_pool"},
        "relaxed CSLS: nearer to the target than to the k nearest rivals",
    ),
    "alignment_uniformity": _against_all(
        lambda: losses.alignment_uniformity_loss,
        {"uniformity_weight"},
        "alignment of pairs, uniformity of all rows on the sphere",
    ),
    "structure": LossEntry(
        _infonce_and_structure,
        True,
        _INFONCE.reads | {"structure_weight"},
        "InfoNCE plus the divergence of neighbour distributions before and after the map",
    ),
    "mse": _towards_target(lambda: losses.mse_loss, "squared distance to the target"),
    "cosine": _towards_target(lambda: losses.cosine_loss, "1 - cosine to the target"),
    "gram": _towards_target(lambda: _gram_of_unit_rows, "Gram matrix of captions against that of their targets"),
}


def register_loss(
    name: str,
    loss: Callable[..., Array],
    *,
    summary: str,
    reads: Iterable[str] = (),
    has_negatives: bool = True,
    tiled: bool = False,
) -> None:
    """Register a loss under a name that scripts, grids and reports then accept.

    Args:
        name: letters, digits, `_`, `-` and `.`.
        loss: `loss(text, target, *, mask, image_mask, groups, axis_name, ...) -> scalar`, as `losses.clip_loss` is
            called: captions `[languages, b, d]` and what they meet `[b, d]`, unit rows; `mask` `[languages, b]` and
            `image_mask` `[b]`, True where they exist; `groups` `[b]`, equal for images that show the same; `axis_name`,
            over which a batch is spread, None where it is not; and every setting that it `reads`, by name.
        summary: one line of what it is, for `--losses=list`.
        reads: which of `temperature`, `mask_positives`, `i2t_pool`, `bias`, `margin`, `neighbours`,
            `uniformity_weight` and `structure_weight` change its value; it is given these and no others.
        has_negatives: whether it has negatives, so that captions and images may both be trained.
        tiled: whether it can do without the matrix of scores, and takes `tile` and `exchange`, too.

    Raises:
        InputError: an ill-formed or taken name, or a setting that losses do not read.

    Example:
        >>> def pull(text, target, *, mask, image_mask, margin, **_):
        ...     gap = margin - (text * target).sum(-1)
        ...     return (gap.clip(0) * (mask & image_mask)).mean()
        >>> register_loss("doc.pull", pull, summary="hinge on the cosine", reads=["margin"], has_negatives=False)
        >>> sorted(LOSSES["doc.pull"].reads)
        ['margin']
        >>> del LOSSES["doc.pull"]
    """
    check_entry("loss", name, loss, summary, taken=LOSSES, reads=reads, readable=READABLE)
    entry = _against_all(lambda: loss, set(reads), summary, tiled=tiled)
    LOSSES[name] = entry._replace(has_negatives=has_negatives)
