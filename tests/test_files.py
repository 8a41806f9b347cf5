"""Files appear whole or not at all, and every module writes them that way."""

import ast
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ccalign_jax
from ccalign_jax.files import drafted, full_disk, lock_file, put, whole_path

PACKAGE = Path(ccalign_jax.__file__).parent
WHOLE = {"whole_file", "whole_path", "drafted"}
WRITES = {"write_text", "write_bytes", "write_parquet", "sink_parquet", "savefig", "write_index", "save_file", "rename"}
WRITES |= {"save", "savez", "savez_compressed"}
COPIES = {"copy", "copy2", "copyfile", "copytree", "move"}
DRAFT, MEMORY = "a draft folder that a Store or an export puts in its place", "memory"
CALLER = "the path that callers draft"
# What other functions write to. Nothing reads a file there that is not complete.
EXCEPTIONS = {
    "cli/commands/apply.py:main": "data.save, which writes whole files",
    "cli/streams.py:lossy": "the null device",
    "data/safetensors_files.py:write_safetensors": CALLER,
    "data/shard_writer.py:_write": CALLER,
    "data/torch_files.py:save_torch": CALLER,
    "evaluation/write.py": DRAFT,
    "exporting/": DRAFT,
    "files.py:put": "the place itself, once all is on the disk",
    "migration/write.py": DRAFT,
    "query_adapters/write.py": DRAFT,
    "reporting/rebuild.py": DRAFT,
    "reporting/report_files.py": DRAFT,
    "reporting/tensorboard.py": "curves, which grow; they are no results",
    "runs/kinds.py:swap": "the place itself, of files that the manifest has put on the disk",
    "runs/output.py:pack_tree": MEMORY,
    "runs/store.py:_reopen": "the name that progress has since an older version",
    "search/page.py:_thumbnail": MEMORY,
    "study/examples/retrieval.py:_thumbnails": MEMORY,
    "study/curves.py": DRAFT,
    "study/stream.py:train_stream": "StreamRun.save, which writes whole files",
    "study/workers.py:_pack": MEMORY,
    "study/write.py": DRAFT,
    "wit/captions.py:write_captions": "parts in between, which a resumed build makes again",
    "wit/failures.py:__enter__": "a list that grows by lines; a line that is cut off is left out when it is read",
}


def is_write(call: ast.Call) -> bool:
    """Whether a call writes, moves or copies a file, as far as its name and arguments tell."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name in ("open", "ZipFile", "TarFile"):
        place = 0 if isinstance(function, ast.Attribute) and owner not in ("gzip", "os", "zipfile", "tarfile") else 1
        modes = call.args[place : place + 1] + [one.value for one in call.keywords if one.arg == "mode"]
        return any(isinstance(mode, ast.Constant) and {*str(mode.value)} & {*"wax+"} for mode in modes)
    if name == "replace":
        return owner == "os" or (len(call.args) == 1 and not call.keywords and owner != "dataclasses")
    return name in WRITES or (name in COPIES and owner == "shutil")


def writes(tree: ast.AST, function: str = "", *, whole: bool = False) -> Iterator[tuple[str, int, str]]:
    """Function, line and text of each write that is in no `with` block of `files.py`."""
    for node in ast.iter_child_nodes(tree):
        inside, name = whole, function
        if isinstance(node, ast.FunctionDef):
            name = function or node.name
        if isinstance(node, ast.With):
            calls = [one.context_expr for one in node.items if isinstance(one.context_expr, ast.Call)]
            inside |= any(ast.unparse(call.func) in WHOLE for call in calls)
        if isinstance(node, ast.Call) and not whole and is_write(node):
            yield name, node.lineno, ast.unparse(node)[:90]
        yield from writes(node, name, whole=inside)


def test_every_module_writes_whole_files():
    used = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        for function, line, text in writes(ast.parse(path.read_text("utf-8"))):
            known = [key for key in EXCEPTIONS if f"{module}:{function}".startswith(key)]
            assert known, f"{module}:{line}: {text} writes a file that a kill leaves half; use ccalign_jax.files"
            used.update(known)
    assert used == {*EXCEPTIONS}


@pytest.mark.parametrize(
    "line",
    [
        "path.write_text('')",
        "path.open('w')",
        "open(path, mode='ab')",
        "np.savez(path, a=1)",
        "draft.replace(path)",
        "os.replace(draft, path)",
        "shutil.copytree(a, b)",
        "zipfile.ZipFile(path, 'w')",
        "table.write_parquet(path)",
    ],
)
def test_the_scan_sees_writes(line):
    assert [*writes(ast.parse(line))]
    assert not [*writes(ast.parse(f"with whole_path(path) as draft:\n    {line}"))]


def test_reading_and_strings_are_no_writes():
    lines = "open(path)\npath.open('rb')\ntext.replace('a', 'b')\ndataclasses.replace(config)\ndata.copy()"
    assert not [*writes(ast.parse(lines))]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "map"
    for content in ("one", "two"):
        (tmp_path / "map.draft").mkdir()  # that a kill has left
        (tmp_path / "map.draft" / "half").touch()
        with whole_path(path) as draft:
            draft.mkdir()
            (draft / content).write_text(content)
        assert [each.name for each in tmp_path.rglob("*")] == ["map", content]
    with pytest.raises(ZeroDivisionError), drafted(path) as draft:
        draft.mkdir()
        raise ZeroDivisionError
    assert [each.name for each in tmp_path.rglob("*")] == ["map", "two"]


def test_a_kill_between_two_renames_loses_no_folder(tmp_path, monkeypatch):
    for name in ("map", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace = Path.replace

    def killed(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path / "new", tmp_path / "map")
    assert (tmp_path / "map.older" / "map").is_file() and (tmp_path / "new" / "new").is_file()
    monkeypatch.undo()
    put(tmp_path / "new", tmp_path / "map")
    assert [each.name for each in tmp_path.rglob("*")] == ["map", "new"]


def test_errors_of_the_system_name_the_file(tmp_path, one_line):
    """Libraries wrap a full disk in errors of their own; a failing disk names no file."""
    path = tmp_path / "rows"
    for error in (OSError(errno.EDQUOT, ""), RuntimeError(f"write failed: {os.strerror(errno.ENOSPC)} (os error 28)")):

        def full(error=error):
            with full_disk(path, resumable=True):
                raise error

        one_line(full, str(path), "not written", "make room there, then continue with --resume")

    def wrapped():
        with full_disk(path):
            try:
                raise OSError(errno.ENOSPC, "")
            finally:
                raise RuntimeError("unexpected position")

    one_line(wrapped, str(path), "no space left")
    with pytest.raises(OSError, match="rows") as raised, full_disk(path):
        raise OSError(errno.EIO, "Input/output error")
    assert raised.value.filename == str(path)
    with pytest.raises(RuntimeError, match="a fault"), full_disk(path):
        raise RuntimeError("a fault of ours")


def test_a_lock_of_a_killed_process_is_free(tmp_path, one_line):
    body = "import sys, time, pathlib; from ccalign_jax.files import lock_file; path = pathlib.Path(sys.argv[1])"
    body += "\nowner = lambda: None; lock = lock_file(path, owner); print('locked', flush=True); time.sleep(60)"
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", body, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        one_line(lambda: lock_file(path, other), str(tmp_path), "another process")
        other.send_signal(signal.SIGKILL)
    assert path.is_file()
    lock_file(path, other)()


def test_a_lock_that_is_waited_for(tmp_path):
    path, order = tmp_path / ".lock", []
    first = lock_file(path, order_owner := threading.Event())

    def second():
        unlock = lock_file(path, order_owner, wait=True)
        order.append("second")
        unlock()

    waiting = threading.Thread(target=second)
    waiting.start()
    order.append("first")
    path.unlink()  # as its owner does in the end
    first()
    waiting.join(10)
    assert order == ["first", "second"] and path.is_file()
