"""Captions of scenes in nine languages."""

from __future__ import annotations

import re

from ccalign_jax.errors import InputError
from ccalign_jax.scenes.lexicons import LANGUAGES, Lexicon, read_lexicon
from ccalign_jax.scenes.phrases import PHRASES
from ccalign_jax.scenes.scene import Group, Scene

__all__ = ["describe", "list_objects"]

AND = {"ar": " و", "de": " und ", "en": " and ", "es": " y ", "fr": " et ", "it": " e ", "pt": " e "}


def describe(scene: Scene, language: str) -> str:
    """What a scene shows, where, and in which setting.

    Args:
        scene: to describe.
        language: of `LANGUAGES`.

    Raises:
        InputError: another language.

    Example:
        >>> scene = Scene("beach", Group("car", "orange"), "left", Group("house", "blue", 2))
        >>> describe(scene, "en")
        'An orange car to the left of two blue houses on a beach.'
        >>> describe(scene, "fr")
        'Une voiture orange à gauche de deux maisons bleues sur une plage.'
        >>> describe(scene, "zh")
        '海滩上，两座蓝色的房子左边有一辆橙色的汽车。'
    """
    words = _lexicon(language)
    setting = words.settings[scene.setting][-1 if scene.airborne else 0]
    if language == "ja":
        return _japanese(words, scene, setting)
    if language == "zh":
        place = setting if scene.other is None else f"{setting}，{_counted(words, scene.other)}"
        return f"{place}{_relation(words, scene)}有{_counted(words, scene.main)}。"
    phrase = PHRASES[language]
    parts = [phrase(words, scene.main, False)]
    if scene.other is not None:
        parts += [_relation(words, scene), phrase(words, scene.other, True)]
    sentence = " ".join([*parts, setting])
    if language == "fr":
        sentence = re.sub(r"\bde (?=une? )", "d'", sentence)
    return _finish(sentence)


def list_objects(scene: Scene, language: str) -> str:
    """The groups of a scene, without relation and setting.

    Raises:
        InputError: a language that is not of `LANGUAGES`.

    Example:
        >>> scene = Scene("beach", Group("cat", "white", 2), "left", Group("ball", "red"))
        >>> list_objects(scene, "de"), list_objects(scene, "ja")
        ('Zwei weiße Katzen und ein roter Ball.', '二匹の白い猫と一個の赤いボール。')
    """
    words = _lexicon(language)
    if language in PHRASES:
        return _finish(AND[language].join(PHRASES[language](words, group, False) for group in scene.groups))
    return ("と" if language == "ja" else "和").join(_counted(words, group) for group in scene.groups) + "。"


def _japanese(words: Lexicon, scene: Scene, setting: str) -> str:
    """Where there is what: the noun decides between being, floating, and flying through."""
    noun, counter, particle, verb = words.nouns[scene.main.noun]
    there = f"{words.colours[scene.main.colour][0]}{noun}が{words.numbers[scene.main.count][0]}{counter}{verb}。"
    if scene.other is None:
        return f"{setting}{particle}{there}"
    topic = "では" if particle == "を" else "には"
    return f"{setting}{topic}、{_counted(words, scene.other)}の{_relation(words, scene)}{particle}{there}"


def _counted(words: Lexicon, group: Group) -> str:
    """A Japanese or Chinese noun with its number, counter and colour; Japanese ones end their colours in の or い."""
    noun, counter, *rest = words.nouns[group.noun]
    of = "の" if rest else ""
    colour = words.colours[group.colour][0] + ("" if rest else "的")
    return f"{words.numbers[group.count][0]}{counter}{of}{colour}{noun}"


def _relation(words: Lexicon, scene: Scene) -> str:
    return "" if scene.relation is None else words.relations[scene.relation]


def _finish(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}."


def _lexicon(language: str) -> Lexicon:
    if language not in LANGUAGES:
        raise InputError(f"scenes: no captions in {language!r}; give one of {', '.join(LANGUAGES)}")
    return read_lexicon(language)
