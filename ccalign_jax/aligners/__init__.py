"""Aligners: maps of caption and image rows into one space, as pure functions over plain pytrees."""

from ccalign_jax.aligners._base import Aligner as Aligner
from ccalign_jax.aligners._base import Params as Params
from ccalign_jax.aligners._combine import dual as dual
from ccalign_jax.aligners._combine import per_language as per_language
from ccalign_jax.aligners._linear import identity as identity
from ccalign_jax.aligners._linear import linear as linear
from ccalign_jax.aligners._linear import residual as residual
from ccalign_jax.aligners._mlp import residual_mlp as residual_mlp
from ccalign_jax.aligners._registry import ALIGNERS as ALIGNERS
from ccalign_jax.aligners._registry import COMBINATORS as COMBINATORS
from ccalign_jax.aligners._registry import AlignerEntry as AlignerEntry
from ccalign_jax.aligners._registry import canonical_name as canonical_name
from ccalign_jax.aligners._registry import make_aligner as make_aligner
from ccalign_jax.aligners._registry import split_name as split_name
