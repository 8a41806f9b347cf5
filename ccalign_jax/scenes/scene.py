"""Scenes: coloured groups of objects before a background, and a seeded sample of distinct ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from random import Random

from ccalign_jax.errors import InputError
from ccalign_jax.scenes.vocabulary import COLOURS, COUNTS, NOUNS, RELATIONS, SETTINGS

__all__ = ["Group", "Scene", "sample_scenes"]


@dataclasses.dataclass(frozen=True)
class Group:
    """Objects of one kind and colour.

    Attributes:
        noun: of `NOUNS`.
        colour: of `COLOURS`.
        count: of `COUNTS`.

    Raises:
        InputError: a name or count that is not among them.
    """

    noun: str
    colour: str
    count: int = 1

    def __post_init__(self) -> None:
        _check("noun", self.noun, NOUNS)
        _check("colour", self.colour, COLOURS)
        _check("count", self.count, COUNTS)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One or two groups of objects in a setting.

    Attributes:
        setting: of `SETTINGS`.
        main: what the caption begins with.
        relation: of `RELATIONS`, where `main` is as seen from `other`; None without `other`.
        other: the second group, if there is one.
        seed: of sizes, places and shades in the picture; captions do not depend on it.

    Raises:
        InputError: an unknown setting or relation, or one of relation and other without the other one.
    """

    setting: str
    main: Group
    relation: str | None = None
    other: Group | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check("setting", self.setting, SETTINGS)
        if self.relation is not None:
            _check("relation", self.relation, RELATIONS)
        if (self.relation is None) != (self.other is None):
            raise InputError("scenes: relation and other belong together; give both or neither")

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that there are, the main one first."""
        return (self.main,) if self.other is None else (self.main, self.other)

    @property
    def airborne(self) -> bool:
        """Whether all that it shows is in the air."""
        return all(NOUNS[group.noun].flies for group in self.groups)


def sample_scenes(count: int, *, seed: int = 0) -> tuple[Scene, ...]:
    """Distinct scenes: no two show the same groups, whatever the setting, relation and order.

    So the captions of two scenes differ in each language, short ones too. A larger sample begins with the smaller one.

    Args:
        count: of scenes.
        seed: of the sample.

    Raises:
        InputError: count is below 1, or seed below 0.

    Example:
        >>> first, *_ = sample_scenes(3, seed=0)
        >>> first == sample_scenes(1, seed=0)[0], len(set(sample_scenes(3)))
        (True, 3)
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"--{name}={value}: it must be at least {least}")
    random = Random(seed)
    found: dict[frozenset[Group], Scene] = {}
    while len(found) < count:
        scene = _sample(random)
        found.setdefault(frozenset(scene.groups), scene)
    return tuple(found.values())


def _sample(random: Random) -> Scene:
    setting = random.choice(list(SETTINGS))
    nouns = [name for name, noun in NOUNS.items() if SETTINGS[setting].surface in noun.where]
    relation = random.choice((None, None, *RELATIONS))
    pairs = (
        [] if relation is None else [(main, other) for main in nouns for other in nouns if _fits(main, relation, other)]
    )
    first, second = random.sample([name for name in COLOURS if name not in SETTINGS[setting].hides], 2)
    picture = random.getrandbits(32)
    if relation is None or not pairs:
        return Scene(setting, Group(random.choice(nouns), first, random.choice(COUNTS)), seed=picture)
    # First the main noun: most pairs are of few nouns.
    main = random.choice(sorted({main for main, _ in pairs}))
    other = random.choice([other for name, other in pairs if name == main])
    counts = ((1, 2, 3), (1,)) if relation == "on" else ((1, 2, 3, 4, 5, 6), (1, 2, 3))
    groups = Group(main, first, random.choice(counts[0])), Group(other, second, random.choice(counts[1]))
    return Scene(setting, groups[0], relation, groups[1], seed=picture)


def _fits(main: str, relation: str, other: str) -> bool:
    """Whether main may be drawn so as seen from other."""
    here, there = NOUNS[main], NOUNS[other]
    if main == other:
        return False
    if relation == "on":
        return here.small and there.top is not None
    if relation in ("above", "below"):
        return (here.flies, there.flies) == (relation == "above", relation == "below")
    return here.flies == there.flies


def _check(field: str, value: object, known: Collection[object]) -> None:
    if value not in known:
        raise InputError(f"scenes: {field} is {value!r}; give one of {', '.join(map(str, known))}")
