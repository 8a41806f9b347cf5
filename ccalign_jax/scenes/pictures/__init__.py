"""Pictures of the nouns, in the language of `shapes`; `main`, `dark` and `light` are of the object's colour."""

from ccalign_jax.scenes.pictures.nature import NATURE
from ccalign_jax.scenes.pictures.things import THINGS

__all__ = ["PICTURES"]

PICTURES = {**NATURE, **THINGS}
