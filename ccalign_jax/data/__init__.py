"""Data: sets of embeddings, file formats, fold plans, and synthetic data."""

from ccalign_jax.data.embedding_set import EmbeddingSet as EmbeddingSet
from ccalign_jax.data.formats import load as load
from ccalign_jax.data.formats import open_shards as open_shards
from ccalign_jax.data.pair_rows import PairRows as PairRows
from ccalign_jax.data.saving import save as save
from ccalign_jax.data.shard_writer import write_shards as write_shards
from ccalign_jax.data.shards import Shards as Shards
from ccalign_jax.data.splits import Fold as Fold
from ccalign_jax.data.splits import Inner as Inner
from ccalign_jax.data.splits import nested_folds as nested_folds
from ccalign_jax.data.splits import official_folds as official_folds
from ccalign_jax.data.splits import seed_folds as seed_folds
from ccalign_jax.data.streaming import BatchIterator as BatchIterator
from ccalign_jax.data.streaming import BatchStream as BatchStream
from ccalign_jax.data.streaming import split_chunks as split_chunks
from ccalign_jax.data.synthetic import synthetic as synthetic
