"""From photographs and captions to a folder of embeddings that a sweep and a training on shards read."""

from ccalign_jax.extraction.api import extract as extract
from ccalign_jax.extraction.run import plan_extraction as plan_extraction
from ccalign_jax.extraction.run import run_extraction as run_extraction
from ccalign_jax.extraction.sources import PRESETS as PRESETS
from ccalign_jax.extraction.sources import SOURCES as SOURCES
from ccalign_jax.extraction.sources import Item as Item
from ccalign_jax.extraction.sources import Source as Source
from ccalign_jax.extraction.sources import SourceKind as SourceKind
