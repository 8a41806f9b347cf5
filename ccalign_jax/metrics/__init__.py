"""Retrieval metrics: exact tie-safe ranks, the figures that follow from them, and scores without parameters."""

from ccalign_jax.metrics.crosslingual import Route as Route
from ccalign_jax.metrics.crosslingual import rank_text_pairs as rank_text_pairs
from ccalign_jax.metrics.crosslingual import rank_via_image as rank_via_image
from ccalign_jax.metrics.pool import expected_recall as expected_recall
from ccalign_jax.metrics.pool import recall_curve as recall_curve
from ccalign_jax.metrics.ranks import BLOCK_ENTRIES as BLOCK_ENTRIES
from ccalign_jax.metrics.ranks import Ranks as Ranks
from ccalign_jax.metrics.ranks import Scorer as Scorer
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
from ccalign_jax.metrics.scoring import SCORINGS as SCORINGS
from ccalign_jax.metrics.scoring import Scoring as Scoring
from ccalign_jax.metrics.scoring import centred_cosine as centred_cosine
from ccalign_jax.metrics.scoring import cosine as cosine
from ccalign_jax.metrics.scoring import csls as csls
from ccalign_jax.metrics.scoring import inverted_softmax as inverted_softmax
from ccalign_jax.metrics.scoring import nearest_neighbour_normalization as nearest_neighbour_normalization
from ccalign_jax.metrics.scoring import transductive as transductive
