"""Maps of queries to the documents that answer them, learned from pairs; documents stay as they are."""

from ccalign_jax.query_adapters.adapt import Adapted as Adapted
from ccalign_jax.query_adapters.adapt import adapt_queries as adapt_queries
from ccalign_jax.query_adapters.task import QueryTask as QueryTask
from ccalign_jax.query_adapters.task import make_query_task as make_query_task
