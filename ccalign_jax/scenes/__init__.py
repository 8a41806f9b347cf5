"""Generated scenes: drawn pictures, and correct captions in nine languages, without licence restrictions."""

from ccalign_jax.scenes.captions import describe as describe
from ccalign_jax.scenes.captions import list_objects as list_objects
from ccalign_jax.scenes.drawing import draw as draw
from ccalign_jax.scenes.lexicons import LANGUAGES as LANGUAGES
from ccalign_jax.scenes.scene import Group as Group
from ccalign_jax.scenes.scene import Scene as Scene
from ccalign_jax.scenes.scene import sample_scenes as sample_scenes
from ccalign_jax.scenes.write import make_scenes as make_scenes
