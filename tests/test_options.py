"""Options: what is refused, and the flags and arguments that follow from the fields."""

import ast
import dataclasses
import inspect
import json
from pathlib import Path

import pytest
from absl import flags

import ccalign_jax as cc
from ccalign_jax.cli import commands
from ccalign_jax.cli.flags import define, given
from ccalign_jax.errors import InputError
from ccalign_jax.options import AlignConfig, ExtractConfig, Option, SweepConfig
from ccalign_jax.wit.options import DownloadConfig, WitConfig


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"protocol": "kfold"}, ["--protocol=kfold", "nested or seed"]),
        ({"split": "dev"}, ["--split=dev", "kfold or official"]),
        ({"precision": "float16"}, ["--precision=float16", "float32 or bfloat16"]),
        ({"protocol": "seed", "split": "official"}, ["--split=official"]),
        ({"protocol": "seed", "inner_folds": 1}, ["--protocol=seed", "--inner_folds"]),
        ({"protocol": "seed", "repeats": 2}, ["--protocol=seed", "--repeats"]),
        ({"split": "official", "inner_folds": 1}, ["--split=official", "--inner_folds"]),
        ({"split": "official", "repeats": 2}, ["--split=official", "--repeats"]),
        ({"limit": 0}, ["--limit=0", "at least 1"]),
        ({"seed": -1}, ["--seed=-1", "from 0 to 4294967295"]),
        ({"seed": 2**32}, ["--seed="]),
    ],
)
def test_impossible_options(change, parts, one_line):
    one_line(lambda: SweepConfig(**change), *parts)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ([], "holds no options"),
        ({"pivot": "image"}, "there is no option 'pivot'"),
        ({"folds": "5"}, "folds is '5', of another kind"),
        ({"folds": True}, "folds is True, of another kind"),
        ({"languages": ["de", None]}, "languages is ('de', None), of another kind"),
        ({"protocol": 3}, "protocol is 3, of another kind"),
        ({"limit": 0}, "--limit=0: it must be at least 1"),
    ],
)
def test_a_config_file_with_strange_options_is_refused_by_its_name(stored, problem, one_line):
    one_line(lambda: SweepConfig.of(stored, "run/config.json"), "run/config.json: ", problem)


@pytest.mark.parametrize("config", [SweepConfig(languages=("de",), folds=3), AlignConfig("d"), ExtractConfig()])
def test_options_come_back_from_json(config):
    stored = json.loads(json.dumps(dataclasses.asdict(config)))
    assert type(config).of(stored, "config.json") == config
    assert SweepConfig.of({"duplicate_cosine": 1}, "config.json").duplicate_cosine == 1


def test_differences_are_named():
    one = SweepConfig()
    assert one.differences(SweepConfig()) == []
    other = dataclasses.replace(one, folds=3, pivots=("symmetric",))
    assert other.differences(one) == ["pivots is ('symmetric',), was ('image',)", "folds is 3, was 5"]


@pytest.mark.parametrize("config", [SweepConfig, AlignConfig, ExtractConfig, WitConfig, DownloadConfig])
def test_every_option_says_in_one_line_what_it_is(config):
    for name, option in config.options().items():
        assert "\n" not in option.help, name
        assert starts_a_phrase(option.help), f"{name}: {option.help}"


def starts_a_phrase(help: str) -> bool:
    return help.partition(" ")[0] not in ("", "of", "for", "that", "which", "whose")


@pytest.mark.parametrize("path", sorted(Path(commands.__file__).parent.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_every_flag_of_a_command_says_what_it_is(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    defined = [call for call in calls if ast.unparse(call.func).startswith("flags.DEFINE_") and len(call.args) > 2]
    assert defined
    for call in defined:
        name, help = call.args[0].value, ast.literal_eval(next(arg for arg in reversed(call.args)))
        assert starts_a_phrase(help), f"--{name}: {help}"


def test_the_python_call_has_every_option_and_its_default():
    arguments = inspect.signature(cc.sweep).parameters
    for field in dataclasses.fields(SweepConfig):
        if field.name not in ("data", "hyper", "folds", "plugins"):
            assert arguments[field.name].default == field.default
            assert f"{field.name}: {field.metadata['option'].help}." in cc.sweep.__doc__
    assert arguments.keys() >= {"data", "hyper", "folds"} and "options" not in arguments


def test_the_python_call_refuses_what_is_no_option():
    with pytest.raises(InputError, match=r"fold: no such option; did you mean folds\?"):
        cc.sweep("synthetic", fold=3)


def test_a_new_field_is_a_new_flag():
    @dataclasses.dataclass(frozen=True)
    class Wider(SweepConfig):
        window: int | None = dataclasses.field(default=None, metadata={"option": Option("of a window", minimum=1)})
        shapes: tuple[str, ...] = dataclasses.field(default=("square",), metadata={"option": Option("of it")})

    known = flags.FlagValues()
    define(Wider, ["window", "shapes"], known)
    known(["script", "--window=3", "--shapes=dual(round,flat),long"])
    assert given(Wider, known) == {"window": 3, "shapes": ("dual(round,flat)", "long")}
