import pytest

from ccalign_jax.search.languages import LanguageGuess

KNOWN = {
    "ar": ["رجل في قميص أحمر", "كلب يركض على الشاطئ"],
    "de": ["ein Mann in einem roten Hemd", "ein Hund läuft am Strand"],
    "en": ["a man in a red shirt", "a dog runs on the beach"],
    "zh": ["穿红色衬衫的男人", "一只狗在海滩上奔跑"],
}


@pytest.mark.parametrize(
    ("query", "language"),
    [("ein roter Hund", "de"), ("the red dog", "en"), ("كلب أحمر", "ar"), ("红色的狗", "zh"), ("Собака бежит", None)],
)
def test_the_language_is_that_of_captions_like_it(query, language):
    assert LanguageGuess(KNOWN)(query) == language


def test_without_captions_nothing_is_known():
    assert LanguageGuess({"de": []})("ein Hund") is None and LanguageGuess({})("?") is None
