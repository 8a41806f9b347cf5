"""Losses and penalties: pure functions of arrays that need jax alone."""

from typing import TYPE_CHECKING

from ccalign_jax._deferred import deferred
from ccalign_jax.losses._registry import LOSSES as LOSSES
from ccalign_jax.losses._registry import BatchLoss as BatchLoss
from ccalign_jax.losses._registry import LossEntry as LossEntry
from ccalign_jax.losses._registry import register_loss as register_loss

if TYPE_CHECKING:
    from ccalign_jax.losses._public import *  # noqa: F403

__getattr__, __dir__ = deferred(__name__, "_public")
