"""Retrieval metrics: exact tie-safe ranks, and the figures that follow from them."""

from ccalign_jax.metrics.ranks import BLOCK_ENTRIES as BLOCK_ENTRIES
from ccalign_jax.metrics.ranks import Ranks as Ranks
from ccalign_jax.metrics.ranks import cosine_scores as cosine_scores
from ccalign_jax.metrics.ranks import rank as rank
from ccalign_jax.metrics.ranks import rank_pairs as rank_pairs
from ccalign_jax.metrics.ranks import ranks_from_scores as ranks_from_scores
from ccalign_jax.metrics.retrieval import METRICS as METRICS
from ccalign_jax.metrics.retrieval import all_tied as all_tied
from ccalign_jax.metrics.retrieval import macro as macro
from ccalign_jax.metrics.retrieval import recall_at as recall_at
from ccalign_jax.metrics.retrieval import resolve_ties as resolve_ties
from ccalign_jax.metrics.retrieval import retrieval_metrics as retrieval_metrics
