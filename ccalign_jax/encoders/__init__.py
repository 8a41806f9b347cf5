"""Frozen text and image encoders of other libraries, behind one interface."""

from ccalign_jax.encoders.base import Choices as Choices
from ccalign_jax.encoders.base import Encoder as Encoder
from ccalign_jax.encoders.registry import ENCODERS as ENCODERS
from ccalign_jax.encoders.registry import load_encoders as load_encoders
