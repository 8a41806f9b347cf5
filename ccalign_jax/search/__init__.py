"""Search of embeddings by captions, before and after alignment, in the terminal and as a local page."""

from ccalign_jax.search.exported import read_any_map as read_any_map
from ccalign_jax.search.index import Nearest as Nearest
from ccalign_jax.search.index import SearchIndex as SearchIndex
from ccalign_jax.search.opening import open_searcher as open_searcher
from ccalign_jax.search.results import CaptionHit as CaptionHit
from ccalign_jax.search.results import Found as Found
from ccalign_jax.search.results import ImageHit as ImageHit
from ccalign_jax.search.results import Results as Results
from ccalign_jax.search.searcher import Searcher as Searcher
