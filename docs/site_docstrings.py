"""Docstrings as griffe reads them: an argument a line, examples by its name for them, and options with their help."""

import ast
import re
from typing import Any

import griffe

SHARED = re.compile(r"^    (\w+(?:, \w+)+): (.*(?:\n {8}.*)*)", re.MULTILINE)  # text, image: their description
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class SiteDocstrings(griffe.Extension):
    """Rewrite docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Give each of several arguments that share a description one of its own, and name examples as griffe does."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("Examples:", SHARED.sub(_one_each, obj.docstring.value))

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Show the default of an option as its value, and its help as its docstring."""
        if str(attr.value).startswith("option("):
            default, words = ast.parse(str(attr.value), mode="eval").body.args[:2]  # type: ignore[attr-defined]
            attr.value = ast.unparse(default)
            attr.docstring = griffe.Docstring(f"{ast.literal_eval(words)}.", parent=attr)


def _one_each(shared: re.Match[str]) -> str:
    return "\n".join(f"    {name}: {shared[2]}" for name in shared[1].split(", "))
