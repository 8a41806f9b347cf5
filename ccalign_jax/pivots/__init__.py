"""Pivots: the targets that captions, and images, are aligned to."""

from typing import TYPE_CHECKING

from ccalign_jax._deferred import deferred
from ccalign_jax.pivots._registry import PIVOTS as PIVOTS
from ccalign_jax.pivots._registry import Batch as Batch
from ccalign_jax.pivots._registry import Pivot as Pivot
from ccalign_jax.pivots._registry import PivotEntry as PivotEntry
from ccalign_jax.pivots._registry import Term as Term
from ccalign_jax.pivots._registry import make_pivot as make_pivot
from ccalign_jax.pivots._registry import register_pivot as register_pivot

if TYPE_CHECKING:
    from ccalign_jax.pivots._terms import *  # noqa: F403

__getattr__, __dir__ = deferred(__name__, "_terms")
