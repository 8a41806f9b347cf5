"""What an export writes: the maps of captions and of images that a learned map consists of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from ccalign_jax._version import __version__
from ccalign_jax.aligners import ALIGNERS, Layer, maps_unseen_languages, parse_name
from ccalign_jax.errors import InputError
from ccalign_jax.exporting.registry import FEATURES, FORMATS
from ccalign_jax.learned_map import LearnedMap

__all__ = ["SIDES", "Job", "Part", "make_job", "missing_features", "refuse"]

SIDES = ("captions", "images")
ROWS = "scaled to unit length, mapped, scaled to unit length"


@dataclass(frozen=True)
class Part:
    """The map of captions, of one language or of all, or of images.

    Attributes:
        name: `captions`, `captions_de` or `images`: the name of its file.
        language: of the captions; None for images, and for captions of every language without a part of its own.
        d_in: width of its rows.
        function: traceable map of unit rows `[m, d_in]` to rows `[m, d_out]` of any length.
        find_layers: what computes `layers`.
    """

    name: str
    language: str | None
    d_in: int
    function: Callable[[Float[Array, "m d_in"]], Float[Array, "m d_out"]]
    find_layers: Callable[[], tuple[Layer, ...] | None]

    @cached_property
    def layers(self) -> tuple[Layer, ...] | None:
        """The map as affine layers, as `aligners.caption_layers`; None where it has no such form."""
        return self.find_layers()


class Job(NamedTuple):
    """What is to be written, for the writer of a format.

    Attributes:
        learned: the whole map.
        parts: its maps that were asked for, captions first.
        to: name of the format.
        options: further arguments that the format reads.
        source: where the map was read; None for one that was in memory.
    """

    learned: LearnedMap
    parts: tuple[Part, ...]
    to: str
    options: Mapping[str, Any]
    source: Path | None = None

    @property
    def d_out(self) -> int:
        """Width of the shared space."""
        return self.learned.about["d_image"]

    @property
    def moving(self) -> tuple[Part, ...]:
        """The parts without images that stay as they are."""
        return tuple(part for part in self.parts if part.name != "images" or self.learned.aligner.trains_image)

    @property
    def provenance(self) -> dict[str, str]:
        """What the map is and where it comes from, as strings."""
        about = {key: value for key, value in self.learned.about.items() if key not in ("leaves", "schema")}
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
        return {"made_by": f"ccalign_jax {__version__}", "rows": ROWS, **texts}


def make_job(
    learned: LearnedMap, to: str, *, language: str | None, side: str | None, options: Mapping[str, Any]
) -> Job:
    """The parts that were asked for.

    Args:
        learned: the map.
        to: name of the format.
        language: of captions; None for all.
        side: `captions` or `images`; None for both.
        options: further arguments that the format reads.

    Raises:
        InputError: another side, a language that the map has no part for, or one whose name no file can have.
    """
    if side not in (None, *SIDES):
        raise InputError(f"--side={side}: there are {' and '.join(SIDES)}; leave it out for both")
    if side == "images" and language is not None:
        raise InputError(f"--language={language}: images have no language; leave it or --side=images out")
    parts: list[Part] = []
    if side != "images":
        parts += _caption_parts(learned, language)
    if side != "captions":
        function = partial(learned.aligner.image, learned.params)
        parts.append(Part("images", None, learned.about["d_image"], function, learned.image_layers))
    return Job(learned, tuple(parts), to, options)


def _caption_parts(learned: LearnedMap, language: str | None) -> list[Part]:
    if language is not None:
        return [_caption_part(learned, "captions", language)]
    name, own = learned.about["aligner"], []
    parsed = parse_name(name)
    if parsed.per_language or ALIGNERS[parsed.text].by_language:
        for one in learned.about["languages"]:
            if not re.fullmatch(r"[\w-][\w.-]*", one, re.ASCII):
                raise InputError(f"language {one!r}: no name for a file; give --language={one!r} to export it alone")
            own.append(_caption_part(learned, f"captions_{one}", one))
    return own + ([_caption_part(learned, "captions", None)] if maps_unseen_languages(name) else [])


def _caption_part(learned: LearnedMap, name: str, language: str | None) -> Part:
    aligner, params, number = learned.aligner, learned.params, learned.language_number(language)
    function = partial(_map_text, aligner.text, params, number)
    return Part(name, language, learned.about["d_text"], function, partial(learned.layers, language))


def _map_text(text: Callable[..., Array], params: Any, number: int, rows: Array) -> Array:
    return text(params, rows, number)


def missing_features(job: Job) -> list[str]:
    """Names of the features that the parts need and the format cannot hold."""
    holds = FORMATS[job.to].holds
    return [feature for feature, needed in NEEDED.items() if feature not in holds and needed(job, job.moving)]


def _has_layers(parts: Sequence[Part], count: int | None) -> bool:
    return count in {None if part.layers is None else len(part.layers) for part in parts}


def _is_plain_mlp(job: Job, part: Part) -> bool:
    parsed = parse_name(job.learned.about["aligner"])
    name = parsed.image if part.name == "images" else parsed.text
    return name is not None and ALIGNERS[name].mlp == "plain"


NEEDED: Mapping[str, Callable[[Job, Sequence[Part]], bool]] = {
    "mlp": lambda job, parts: _has_layers(parts, 2),
    "plain_mlp": lambda job, parts: any(_is_plain_mlp(job, part) for part in parts),
    "nonlinear": lambda job, parts: _has_layers(parts, None),
    "offset": lambda job, parts: any(
        part.layers is not None and len(part.layers) == 1 and part.layers[0].bias.any() for part in parts
    ),
    "widths": lambda job, parts: any(part.d_in != job.d_out for part in parts),
    "languages": lambda job, parts: sum(part.name != "images" for part in parts) > 1,
    "images": lambda job, parts: "images" in (parts[-1:] or job.parts)[0].name,
}


def refuse(job: Job, reason: str) -> InputError:
    """The error of a map that the format cannot hold; it names the formats that can."""
    able = [name for name in FORMATS if name != job.to and not missing_features(job._replace(to=name))]
    return InputError(
        f"--to={job.to}: {job.learned.about['aligner']}: {reason}; it can be exported to {', '.join(able)}"
    )


def check_features(job: Job) -> None:
    """Refuse a map that the format cannot hold.

    Raises:
        InputError: it needs what the format does not have.
    """
    if missing := missing_features(job):
        raise refuse(job, f"the format cannot hold {' or '.join(FEATURES[feature] for feature in missing)}")
