"""The pages keep their word: every method has its entry, every Python block runs, every command has its flags."""

import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import ccalign_jax as cc
from ccalign_jax.aligners import ALIGNERS, COMBINATORS, canonical_name, list_names
from ccalign_jax.data import synthetic
from ccalign_jax.losses import LOSSES
from ccalign_jax.metrics import SCORINGS
from ccalign_jax.pivots import PIVOTS, make_pivot
from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
from ccalign_jax.study.grids import CHOICES, NUMBERS, parse_settings
from ccalign_jax.training.objective import OPTIONAL

ROOT = Path(__file__).resolve().parents[1]
METHODS = ROOT / "docs" / "methods.md"
PAGES = sorted([ROOT / "README.md", ROOT / "BUILD.md", *(ROOT / "docs").rglob("*.md")])
# What BUILD.md shows is pasted into modules: it has a test of its own.
WITH_PYTHON = [page for page in PAGES if page.name != "BUILD.md" and "```python" in page.read_text("utf-8")]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def section(page: Path, title: str) -> str:
    """What stands between a heading of the second level and the next."""
    return page.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def entries(title: str) -> dict[str, dict[str, str]]:
    """The rows of a section's table: by their name, the cells by their column."""
    lines = [line for line in section(METHODS, title).splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    cells = [dict(zip(header, row, strict=True)) for row in rows]
    assert all(row["name"].startswith("`") and row["when it helps"] for row in cells), title
    return {row["name"].strip("`"): row for row in cells}


def names_in(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


# methods.md beside the registries

TRAINED = {name: entry for name, entry in ALIGNERS.items() if not entry.closed}
CLOSED = {name: entry for name, entry in ALIGNERS.items() if entry.closed}
LISTED_PIVOTS = {f"{name}:<language>" if entry.takes_language else name: name for name, entry in PIVOTS.items()}
SECTIONS = {
    "Trained aligners": list(TRAINED),
    "Combinators": list(COMBINATORS),
    "Closed forms": list(CLOSED),
    "Pivots": list(LISTED_PIVOTS),
    "Losses": list(LOSSES),
    "Score corrections": list(SCORINGS),
}
PENALTIES = "Penalties and augmentation"


@pytest.mark.parametrize("title", SECTIONS)
def test_every_method_has_its_entry_and_no_other_has_one(title):
    assert list(entries(title)) == SECTIONS[title], f"docs/methods.md, {title}: one row a method, in the list's order"


@pytest.mark.parametrize("title", [*SECTIONS, PENALTIES])
def test_every_method_has_a_line_that_runs_it(title):
    lines = "".join(blocks(section(METHODS, title), "(?:python)?"))
    for name in entries(title):
        assert re.search(rf"\b{name.partition(':')[0]}\b", lines), f"docs/methods.md, {title}: no line runs {name}"


def test_entries_name_the_settings_that_are_read():
    found = {name: names_in(row["settings"]) for name, row in entries("Trained aligners").items()}
    assert found == {name: entry.reads for name, entry in TRAINED.items()}
    found = {name: names_in(row["settings"]) for name, row in entries("Closed forms").items()}
    assert found == {name: entry.reads for name, entry in CLOSED.items()}
    found = {name: names_in(row["settings"]) for name, row in entries("Losses").items()}
    assert found == {name: entry.reads for name, entry in LOSSES.items()}
    for name, row in entries("Pivots").items():
        pivot = make_pivot(name.replace("<language>", "en"), ("de", "en"))
        assert names_in(row["settings"]) == pivot.reads
        assert row["moves images"] == ("yes" if pivot.moves_images else "no")


def test_entries_say_what_goes_with_what():
    assert set(CLOSED_FORMS) == set(CLOSED)
    found = {name: names_in(row["pivots"]) for name, row in entries("Closed forms").items()}
    assert found == {name: set(form.pivots) for name, form in CLOSED_FORMS.items()}
    found = {name: row["pushes apart"] == "yes" for name, row in entries("Losses").items()}
    assert found == {name: entry.has_negatives for name, entry in LOSSES.items()}


def test_penalties_are_settings_and_none_is_left_out():
    listed = entries(PENALTIES)
    assert set(OPTIONAL) <= set(listed) <= {*NUMBERS, *CHOICES}


def test_every_citation_has_its_reference():
    references = section(METHODS, "References").splitlines()
    page = METHODS.read_text("utf-8")
    cited = {one for group in re.findall(r"\[([^\]]* \d{4}[^\]]*)\]", page) for one in group.split(", ")}
    assert len(cited) > 30
    for citation in cited:
        author, year = citation.rsplit(" ", 1)
        assert any(line.startswith(f"- {author}") and year in line for line in references), citation
    surnames = {(citation.rsplit(" ", 1)[0], citation[-4:]) for citation in cited}
    for line in filter(None, references):
        assert any(line.startswith(f"- {author}") and year in line for author, year in surnames), f"uncited: {line}"


# all pages


@pytest.fixture
def small_set(tmp_path, monkeypatch) -> None:
    """A folder to be in, with 40 images and a caption of each in two languages as `embeddings.npz`."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    image, keys = random.normal(size=(40, 16)).astype(np.float32), np.array([f"{number:02d}" for number in range(40)])
    arrays = {"image": image, "image_keys": keys}
    for language in ("de", "en"):
        noise = random.normal(size=image.shape).astype(np.float32)
        arrays |= {f"text_{language}": image + 0.7 * noise, f"text_{language}_keys": keys}
    np.savez("embeddings.npz", **arrays)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_python_blocks_run_in_the_order_of_the_page(page, small_set):
    namespace: dict = {}
    for number, block in enumerate(blocks(page.read_text("utf-8"), "python"), start=1):
        exec(compile(block, f"{name_of(page)}, block {number}", "exec", dont_inherit=True), namespace)
    namespace.clear()  # in order: later, a page's files are collected before what would close them


PARSE = """
import inspect, json, runpy, sys
from importlib import import_module
from pathlib import Path
from absl.flags import FLAGS
from ccalign_jax.cli.runner import define_shared_flags

script, positional = Path(sys.argv[1]), range(1)
sys.path.insert(0, str(script.parent))
runpy.run_path(str(script))
if script.parent.name == "experiments":
    subcommand = import_module("ccalign_jax.cli.commands." + script.stem)
    arguments = inspect.signature(subcommand.main).parameters.values()
    several = any(one.kind is one.VAR_POSITIONAL for one in arguments)
    most = 100 if several else len(arguments)
    positional = range(sum(one.default is one.empty for one in arguments), most + 1)
    define_shared_flags(subcommand.__name__)
    subcommand.define_flags()
for command in json.load(sys.stdin):
    FLAGS.unparse_flags()
    FLAGS.set_gnu_getopt(True)
    try:
        rest = FLAGS(["script", *command])[1:]
    except Exception as error:
        rest = [str(error)]
    if len(rest) not in positional:
        print(" ".join(command), "->", *rest)
"""


def commands() -> dict[str, list[list[str]]]:
    """The flags of every `python experiments/…` on the pages, by script."""
    found: dict[str, list[list[str]]] = {}
    for page in PAGES:
        text = page.read_text("utf-8")
        for line in re.findall(r"python (experiments/[^`\n]*)", text.replace("\\\n", " ")):
            script, *flags = shlex.split(line, comments=True)
            found.setdefault(script, []).append(flags)
    return found


KINDS = {name: kind for kind in (("pivot", "pivots"), ("aligner", "aligners"), ("loss", "losses")) for name in kind}


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("script", commands())
def test_commands_have_flags_that_exist_and_values_that_are_taken(script):
    given, command = commands()[script], [sys.executable, "-c", PARSE, str(ROOT / script)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stdout, done.stderr + done.stdout
    values = [flag.removeprefix("--").partition("=")[::2] for flags in given for flag in flags]
    for plugin in dict.fromkeys(value for name, value in values if name == "plugin"):
        cc.load_plugin(ROOT / plugin)
    for name, value in values:
        if name == "hyper" and value != "list":
            parse_settings([value])
        if name not in KINDS or value in ("all", "list", "closed"):
            continue
        for one in list_names(value):
            if "pivot" in KINDS[name]:
                make_pivot(one, ("de", "en"))
            elif "aligner" in KINDS[name]:
                canonical_name(one)
            else:
                assert one in LOSSES, one


def anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        path, _, wanted = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), f"{name_of(page)}: {target}"
        if wanted:
            headings = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), flags=re.MULTILINE)
            assert wanted in map(anchor, headings), f"{name_of(page)}: {target}"


# BUILD.md


def test_a_row_travels_through_files_that_exist():
    steps = [line for line in section(ROOT / "BUILD.md", "How a row travels").splitlines() if line[:1].isdigit()]
    files = [[name for name in names_in(step) if name.endswith(".py")] for step in steps]
    assert 1 < len(steps) <= 12 and all(files)
    missing = [name for step in files for name in step if not (ROOT / "ccalign_jax" / name).exists()]
    assert not missing


def newcomers(monkeypatch) -> list[str]:
    """Put what BUILD.md shows where it says, for the time of a test; returns the names."""
    named = []
    for block in blocks(section(ROOT / "BUILD.md", "Add an aligner, a loss or a pivot"), "python"):
        place, code = block.split("\n", 1)
        path, _, registry = place.removeprefix("# ").partition(": ")
        module = import_module(path.removesuffix(".py").replace("/", "."))
        namespace = dict(vars(module))
        if registry:
            (found,) = eval(f"{{{code}}}", namespace).items()
            monkeypatch.setitem(getattr(module, registry), *found)
            named.append(found[0])
        else:
            before = set(namespace)
            exec(compile(code, place, "exec", dont_inherit=True), namespace)
            for name in set(namespace) - before:
                monkeypatch.setattr(module, name, namespace[name], raising=False)
    return named


def test_the_newcomers_of_the_guide_work_as_they_stand(monkeypatch):
    names = newcomers(monkeypatch)
    assert names == ["scale_shift", "decoupled", "others", "mean_shift", "mean_shift"]
    data = synthetic(40, languages=("de", "en"), dimensions=8)
    hyper = {"epochs": 2, "steps_per_epoch": 6, "learning_rate": 0.03, "start_counts": False}
    found = cc.fit(data, pivot="others", aligner="scale_shift", loss="decoupled", hyper=hyper)
    assert {name: leaf.shape for name, leaf in found.params.items()} == {"scale": (8,), "shift": (8,)}
    assert found.about["trial"] == "others/scale_shift/decoupled" and np.any(found.params["scale"])
    solved = cc.fit(data, aligner="mean_shift", hyper={"start_counts": False})
    assert np.any(solved.params["mean"]) and np.any(solved.params["offset"]) and not np.any(solved.params["delta"])
