"""What a finished sweep leaves: folds, ranks and maps that say which rows they are of."""

import json

import numpy as np
import pytest

from ccalign_jax.checkpoints import load_tree
from ccalign_jax.errors import InputError
from ccalign_jax.runs.output import file_name
from ccalign_jax.study import sweep


def test_a_sweep_on_arrays_writes_what_it_returns(tmp_path, toy_rows):
    texts, image = toy_rows()
    quick = {"epochs": 2, "steps_per_epoch": 2, "batch_images": 8, "learning_rate": 0.1, "temperature": 0.1}
    options = {"aligners": ["residual"], "hyper": quick, "folds": 2}
    found = sweep(texts, image, out=tmp_path / "run", **options)
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == json.loads(json.dumps(found.summary))
    assert not (tmp_path / "run" / "unfinished").exists()
    with pytest.raises(InputError, match="holds a sweep already"):
        sweep(texts, image, out=tmp_path / "run", **options)
    again = sweep(texts, image, out=tmp_path / "run", resume=True, **options)
    assert again.summary == json.loads((tmp_path / "run" / "summary.json").read_text()) and not again.outcomes
    assert again.best.about["trial"] == found.best.about["trial"]
    with np.load(tmp_path / "run" / "ranks" / "identity.npz") as ranks:
        np.testing.assert_array_equal(np.sort(ranks["t2i/en/row"]), np.arange(60))


def test_folds_say_which_rows_are_whose(solved):
    out, result = solved
    plan = result.plan
    with np.load(out / "folds.npz") as stored:
        found = dict(stored)
    assert found.pop("keys").tolist() == plan.data.keys.tolist()
    np.testing.assert_array_equal(found.pop("groups"), plan.data.groups)
    for number, fold in enumerate(plan.folds):
        np.testing.assert_array_equal(found.pop(f"{number}/train"), fold.train)
        np.testing.assert_array_equal(found.pop(f"{number}/test"), fold.test)
        for place, inner in enumerate(fold.inner):
            np.testing.assert_array_equal(found.pop(f"{number}/inner/{place}/train"), inner.train)
            np.testing.assert_array_equal(found.pop(f"{number}/inner/{place}/validation"), inner.validation)
    assert found == {} and len(plan.folds) == 4 and len(plan.folds[0].inner) == 3


@pytest.mark.parametrize("name", ["identity", "image/ridge/closed_form"])
def test_ranks_say_which_caption_of_which_image_asked(solved, name):
    out, result = solved
    data, folds = result.plan.data, result.plan.folds
    with np.load(out / "ranks" / f"{file_name(name)}.npz") as ranks:
        for language in data.languages:
            row, image, fold = (ranks[f"t2i/{language}/{key}"] for key in ("row", "image", "fold"))
            np.testing.assert_array_equal(image, data.image_of[language][row])
            np.testing.assert_array_equal(np.sort(row), np.arange(len(data.text[language])))  # each asks once
            for number, one in enumerate(folds):
                np.testing.assert_array_equal(np.unique(image[fold == number]), np.intersect1d(one.test, image))
            row, image = (ranks[f"i2t/{language}/{key}"] for key in ("row", "image"))
            np.testing.assert_array_equal(row, image)
            np.testing.assert_array_equal(np.sort(row), np.unique(data.image_of[language]))  # those with a caption
            kinds = {key: ranks[f"i2t/{language}/{key}"].dtype for key in ("fold", "row", "image", "better", "tied")}
            assert set(kinds.values()) == {np.dtype(np.int32)}
            assert (ranks[f"i2t/{language}/tied"] > 0).all()


def test_maps_of_every_fold_are_kept(solved):
    out, result = solved
    found = {
        about["trials"][0]["trial"]: (params, about)
        for params, about in map(load_tree, (out / "checkpoints").iterdir())
    }
    for outcome in result.outcomes:
        params, about = found[outcome.name]
        assert about["stacked"] == ["trials", "folds"] and about["trials"][0]["epoch"] == outcome.epochs
        for fold, one in enumerate(outcome.params):
            for key, leaf in one.items():
                np.testing.assert_array_equal(params[key][0, fold], leaf)
