"""Public names of `ccalign_jax.losses` beside its registry."""

from ccalign_jax.losses._contrastive import clip_loss as clip_loss
from ccalign_jax.losses._contrastive import learned_temperature as learned_temperature
from ccalign_jax.losses._contrastive import supcon_loss as supcon_loss
from ccalign_jax.losses._ranking import rcsls_loss as rcsls_loss
from ccalign_jax.losses._ranking import triplet_loss as triplet_loss
from ccalign_jax.losses._regression import cosine_loss as cosine_loss
from ccalign_jax.losses._regression import mse_loss as mse_loss
from ccalign_jax.losses._regularizers import Normalization as Normalization
from ccalign_jax.losses._regularizers import ortho_penalty as ortho_penalty
from ccalign_jax.losses._regularizers import prox_penalty as prox_penalty
from ccalign_jax.losses._regularizers import spectral_penalty as spectral_penalty
from ccalign_jax.losses._sigmoid import sigmoid_loss as sigmoid_loss
from ccalign_jax.losses._structure import gram_loss as gram_loss
from ccalign_jax.losses._structure import structure_loss as structure_loss
from ccalign_jax.losses._tiled import auto_tile as auto_tile
from ccalign_jax.losses._uniformity import alignment_uniformity_loss as alignment_uniformity_loss
