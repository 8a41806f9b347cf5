"""Losses and penalties: pure functions of arrays that need jax alone."""

from ccalign_jax.losses._contrastive import clip_loss as clip_loss
from ccalign_jax.losses._registry import LOSSES as LOSSES
from ccalign_jax.losses._registry import BatchLoss as BatchLoss
from ccalign_jax.losses._registry import LossEntry as LossEntry
from ccalign_jax.losses._regression import cosine_loss as cosine_loss
from ccalign_jax.losses._regression import mse_loss as mse_loss
from ccalign_jax.losses._regularizers import Normalization as Normalization
from ccalign_jax.losses._regularizers import ortho_penalty as ortho_penalty
from ccalign_jax.losses._regularizers import prox_penalty as prox_penalty
