"""The seed study's diagnostics, as its own program printed them on real data."""

import json

import numpy as np
import pytest

from ccalign_jax.diagnostics import diagnose, hub_skew, k_occurrence, sample_rows

pytestmark = pytest.mark.optimised

LANGUAGES = ("ar", "de", "en", "fr", "zh")
CASES = [("linear", "before", "holdout"), ("linear", "after", "train"), ("mlp", "after", "holdout")]
SINGLE = ("pca90_components", "mean_pairwise_cosine", "PoZ", "entropy", "hub_skew", "hub_ratio_1pct")


@pytest.fixture(scope="module")
def seed(seed_study):
    """Rows of each language, the parts of fold 0, and the folder of the program's reports."""
    folder, data, fold = seed_study
    rows = {language: np.asarray(data.text[language], np.float32) for language in LANGUAGES}
    return rows, {"train": fold.train, "holdout": fold.test}, folder


def mapped(rows, folder, kind):
    torch = pytest.importorskip("torch")
    saved = torch.load(folder / f"W_full_ar-de-en-fr-zh_fold0_{kind}.pt", weights_only=True)
    x = torch.nn.functional.normalize(torch.tensor(rows), dim=1)
    if kind == "linear":
        done = x @ saved["W"]
    else:
        part = saved["state_dict"]
        hidden = torch.nn.functional.gelu(x @ part["fc1.weight"].T + part["fc1.bias"])
        done = x @ part["eye_rect"] + hidden @ part["fc2.weight"].T + part["fc2.bias"]
    return torch.nn.functional.normalize(done, dim=1).numpy()


# Whether this CPU has the instruction set that the seed's program ran on.
LIKE_ITS_OWN = bool({"X86_V4", "AVX512_SKX"} & set(np.show_config(mode="dicts")["SIMD Extensions"]["found"]))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "state", "part"), CASES)
def test_report(seed, kind, state, part):
    rows, parts, folder = seed
    report = json.loads((folder / f"report_full_ar-de-en-fr-zh_fold0_{kind}.json").read_text())
    wanted = report["diagnostics"][part][state]
    text = {language: rows[language][parts[part]] for language in LANGUAGES}
    if state == "after":
        text = {language: mapped(x, folder, kind) for language, x in text.items()}
    found = diagnose(text)

    for language in LANGUAGES:
        mine, theirs = found["per_language"][language], wanted["per_lang"][language]
        assert mine["effective_rank"] == pytest.approx(theirs["effective_rank"], rel=1e-3)
        for name in SINGLE:
            # A quarter of the zh captions repeat: which of them are the nearest hangs on the last bit of a score and
            # on how the CPU's instruction set partitions ties.
            tolerance = 3e-3 if name == "hub_skew" else 1e-4
            assert mine[name] == pytest.approx(theirs[name], abs=tolerance), (language, name)
    for name in (*SINGLE, "effective_rank"):
        assert found["macro"][name] == pytest.approx(wanted["macro_avg"][name], rel=1e-3, abs=1e-3), name
    # Which rows are neighbours hangs on the last bit of a score, as above; correlations do not.
    for name, theirs, tolerance in (
        ("gram_correlation", "gram_corr", 1e-4),
        ("neighbour_jaccard", "neighbor_overlap", 1e-4 if LIKE_ITS_OWN else 1e-3),
    ):
        mine = found["between_languages"][name]
        np.testing.assert_allclose(mine["matrix"], wanted[f"{theirs}_matrix"], atol=tolerance, err_msg=name)
        assert mine["mean"] == pytest.approx(wanted[f"{theirs}_mean"], abs=tolerance)
    assert found["neighbours"] == wanted["neighbor_overlap_k"]
    probe = found["probe"]["seed"]
    assert probe["accuracy"] == pytest.approx(wanted["langid_probe"]["acc"], abs=3e-3)
    assert probe["rows"] == wanted["langid_probe"]["n"]
    assert round(1 / probe["chance"]) == wanted["langid_probe"]["k"]


@pytest.mark.parametrize(("kind", "state", "part"), CASES)
def test_hub_skew_to_the_last_tie(seed, kind, state, part):
    """From the scores of the library that the seed's program used, on an instruction set like its own."""
    torch = pytest.importorskip("torch")
    if not LIKE_ITS_OWN:
        pytest.skip("this CPU partitions ties in another order than the one that the reports come from")
    rows, parts, folder = seed
    report = json.loads((folder / f"report_full_ar-de-en-fr-zh_fold0_{kind}.json").read_text())["diagnostics"]
    chosen = parts[part]
    for language in LANGUAGES:
        x = torch.nn.functional.normalize(torch.tensor(rows[language][chosen]), dim=1).numpy()
        x = torch.tensor(mapped(x, folder, kind) if state == "after" else x)[sample_rows(len(chosen))]
        found = hub_skew(k_occurrence((x @ x.T).numpy()))
        assert found == pytest.approx(report[part][state]["per_lang"][language]["hub_skew"], abs=1e-4), language
