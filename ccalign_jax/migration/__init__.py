"""Maps between the spaces of an old and a new encoder, and how much of re-embedding an index they recover."""

from ccalign_jax.migration.maps import MAPS as MAPS
from ccalign_jax.migration.migrate import Migration as Migration
from ccalign_jax.migration.migrate import migrate as migrate
from ccalign_jax.migration.task import Task as Task
from ccalign_jax.migration.task import make_task as make_task
