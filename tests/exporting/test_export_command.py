"""`ccalign export`: what it writes and prints, and a flag that is missing."""

from types import SimpleNamespace

import pytest

from ccalign_jax.cli import lists
from ccalign_jax.cli.commands import export as command
from ccalign_jax.exporting import FORMATS


class Flags(dict):
    """The values of flags, as absl gives them."""

    def __getattr__(self, name):
        return self.get(name)

    def __getitem__(self, name):
        return SimpleNamespace(value=self.get(name))


@pytest.fixture
def run(monkeypatch):
    def main(**values):
        monkeypatch.setattr(command, "FLAGS", Flags(values))
        return command.main()

    return main


def test_what_is_written_is_printed(run, best, tmp_path, capsys):
    assert run(checkpoint=str(best), to="numpy", out=str(tmp_path / "out")) == tmp_path / "out"
    assert capsys.readouterr().out == f"{best} exported to {tmp_path / 'out'}: config.json, model.npz\n"


def test_a_missing_flag_and_a_remote_folder_are_one_line(run, best, one_line):
    one_line(lambda: run(checkpoint=str(best), out="out"), "--to is missing", "--to=list")
    one_line(lambda: run(checkpoint=str(best), to="numpy", out="gs://bucket/map"), "gs://bucket/map", "local path")


def test_the_list_has_every_format():
    assert [row[0] for row in lists.LISTS["to"]()] == [*FORMATS]
