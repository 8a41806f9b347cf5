"""Aligners: maps of caption and image rows into one space, as pure functions over plain pytrees."""

from typing import TYPE_CHECKING

from ccalign_jax._deferred import deferred
from ccalign_jax.aligners._names import AlignerName as AlignerName
from ccalign_jax.aligners._names import canonical_name as canonical_name
from ccalign_jax.aligners._names import list_names as list_names
from ccalign_jax.aligners._names import make_aligner as make_aligner
from ccalign_jax.aligners._names import maps_unseen_languages as maps_unseen_languages
from ccalign_jax.aligners._names import parse_name as parse_name
from ccalign_jax.aligners._names import registered_by as registered_by
from ccalign_jax.aligners._names import settings_read as settings_read
from ccalign_jax.aligners._names import split_name as split_name
from ccalign_jax.aligners._registry import ALIGNERS as ALIGNERS
from ccalign_jax.aligners._registry import COMBINATORS as COMBINATORS
from ccalign_jax.aligners._registry import AlignerEntry as AlignerEntry
from ccalign_jax.aligners._registry import Sizes as Sizes
from ccalign_jax.aligners._registry import register_aligner as register_aligner

if TYPE_CHECKING:
    from ccalign_jax.aligners._public import *  # noqa: F403

__getattr__, __dir__ = deferred(__name__, "_public")
