"""The rows of results.csv and records.csv: by hand, and those of a sweep against its summary."""

import csv

import numpy as np
import pytest

from ccalign_jax.measurement.inference import bounds
from ccalign_jax.measurement.metric_replicates import replicate_metrics
from ccalign_jax.measurement.records import record_rows
from ccalign_jax.measurement.replicates import Replicates
from ccalign_jax.metrics import METRICS
from ccalign_jax.study.summary import make_summary
from ccalign_jax.study.write import result_rows

KINDS = {"level": "metrics", "change": "delta", "train": "train_metrics", "gap": "gap"}


def test_rows_by_hand(outcome, fold_of):
    identity, trial = outcome("identity", [0.2, 0.4], [0.5, 0.5]), outcome("b", [0.5, 0.25], [0.3, 0.4])
    trial.test[0].values["t2i", "en (unmapped)"] = dict.fromkeys(METRICS, 0.125)
    summary = make_summary(
        **{"data": {}, "protocol": "nested", "identity": identity, "chance": [fold_of(0.1)] * 2},
        **{"outcomes": [trial], "best": trial, "notes": []},
    )
    rows = list(result_rows([identity, trial], ["l2"], summary.arms))
    assert len(rows) == 2 * (2 + 1) * 3 * 2 + 1  # outcomes, folds and all, ways, macro and en; and en (unmapped)
    assert rows[0] == {
        **{"trial": "identity", "pivot": "", "aligner": "identity", "loss": "", "fold": "all", "language": "macro"},
        **{"direction": "t2i", "l2": ""},
        **{f"{metric}": "0.300000" for metric in METRICS},
        **{f"{metric}_std": "0.141421" for metric in METRICS},
        **{f"{metric}_{end}": "" for metric in METRICS for end in ("low", "high")},
        **{f"train_{metric}": "0.150000" for metric in METRICS},
        **{f"train_{metric}_std": "0.070711" for metric in METRICS},
        **{f"train_{metric}_{end}": "" for metric in METRICS for end in ("low", "high")},
    }
    one = next(row for row in rows if row["fold"] == 0)
    assert one == {
        **{"trial": "identity", "pivot": "", "aligner": "identity", "loss": "", "fold": 0, "language": "macro"},
        **{"direction": "t2i", "epoch": 3, "l2": ""},
        **dict.fromkeys(METRICS, "0.200000"),
        **{f"train_{metric}": "0.100000" for metric in METRICS},
    }
    (extra,) = (row for row in rows if row["language"] == "en (unmapped)")  # of one fold alone: it has no mean
    assert extra["R@1"] == "0.125000" and "train_R@1" not in extra and extra["l2"] == "0.0005" and extra["fold"] == 0
    changed = [row for row in rows if row["fold"] == "all" and row["trial"] == "b"]
    assert len(changed) == 6 and {row["delta_R@1"] for row in changed} == {"0.075000"}
    assert rows[-1]["fold"] == 1 and rows[-1]["direction"] == "both" and rows[-1]["R@1"] == "0.250000"


@pytest.fixture(scope="module")
def rows(solved):
    with (solved[0] / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def place(row):
    return tuple(row[key] for key in ("trial", "fold", "direction", "language"))


def test_there_is_a_row_for_everything(solved, rows):
    found = {place(row): row for row in rows}
    assert len(found) == len(rows)
    names = [outcome.name for outcome in solved[1].outcomes]
    for trial in ["identity", *names]:
        languages = ["macro", "de", "en", *(["en (unmapped)"] if trial.startswith("text:en") else [])]
        for fold in ("all", "0", "1", "2", "3"):
            here = [row["language"] for row in rows if place(row)[:3] == (trial, fold, "both")]
            assert here == languages


def test_the_rows_of_all_folds_have_what_the_summary_says(solved, rows):
    summary, found = solved[1].summary, {place(row): row for row in rows}
    for trial in summary["trials"]:
        for way in ("t2i", "i2t", "both"):
            for language in ("macro", "de", "en"):
                row = found[trial["name"], "all", way, language]
                for metric in METRICS:
                    for prefix, key in (("", "metrics"), ("train_", "train_metrics"), ("delta_", "delta")):
                        part = trial[key][way]
                        figure = part[metric] if language == "macro" else part["per_language"][language][metric]
                        ends = ["std", "low", "high", *(["p", "p_adjusted", "p_folds"] if prefix == "delta_" else [])]
                        assert float(row[f"{prefix}{metric}"]) == pytest.approx(figure["mean"], abs=1e-6)
                        for end in ends:
                            said = row[f"{prefix}{metric}_{end}"]
                            assert float(said) == pytest.approx(figure[end], abs=1e-6), (metric, end)
                assert row["epoch"] == ""
    for row in rows:
        if row["fold"] == "all" and row["trial"] == "identity":
            assert float(row["MRR_low"]) < float(row["MRR"]) < float(row["MRR_high"])
            assert all(row[column] == "" for column in row if column.startswith("delta_"))


def test_the_rows_of_a_fold_have_its_own_interval(solved, rows):
    result, found = solved[1], {place(row): row for row in rows}
    for outcome in (result.identity, result.outcomes[0]):
        for fold in range(4):
            measured = outcome.test[fold]
            clusters, places = np.unique(result.replicates.cluster_of[measured.images], return_inverse=True)
            own = Replicates(places, result.replicates.weights[:, clusters], result.replicates.signs[:, clusters])
            known = bounds(replicate_metrics([measured._replace(images=np.arange(len(places)))], own), "level")
            for language in ("macro", "de"):
                row = found[outcome.name, str(fold), "i2t", language]
                ends = known["i2t", None if language == "macro" else language]["MRR"]
                assert float(row["MRR_low"]) == pytest.approx(ends[0], abs=1e-6)
                assert float(row["MRR_high"]) == pytest.approx(ends[1], abs=1e-6)
                assert float(row["MRR_low"]) < float(row["MRR"]) < float(row["MRR_high"])
                assert row["delta_MRR"] == row["MRR_std"] == "" and row["epoch"] == str(outcome.epochs[fold])
            assert float(row["MRR"]) == pytest.approx(measured.values["i2t", "de"]["MRR"], abs=1e-6)


def test_means_over_folds_are_means_of_their_rows(rows):
    for way in ("t2i", "both"):
        each = [float(row["mAP"]) for row in rows if place(row)[2:] == (way, "en") and row["fold"] != "all"]
        means = [float(row["mAP"]) for row in rows if place(row)[2:] == (way, "en") and row["fold"] == "all"]
        np.testing.assert_allclose(np.reshape(each, (-1, 4)).mean(axis=1), means, atol=2e-6)


def test_a_record_an_arm_kind_place_and_metric(outcome, fold_of):
    identity, trial = outcome("identity", [0.2, 0.4], [0.5, 0.5]), outcome("b", [0.5, 0.25], [0.3, 0.4])
    made = make_summary(
        **{"data": {}, "protocol": "nested", "identity": identity, "chance": [fold_of(0.1)] * 2},
        **{"outcomes": [trial], "best": trial, "notes": []},
    )
    records = list(record_rows(made.arms))
    assert made.content["records"] == "records.csv"
    assert {(row["role"], row["arm"]) for row in records} == {
        *(("baseline", name) for name in ("identity", "chance")),
        *(("trial", "b"), ("family", "image/residual/infonce"), ("selected", "selected")),
    }
    places, metrics = 3 * 2, len(METRICS)
    assert len([row for row in records if row["arm"] == "chance"]) == places * metrics
    of_trial = [row for row in records if row["arm"] == "b"]
    assert len(of_trial) == (3 * places * metrics) + 3  # level, change and train; gap of R@1 of macro means
    (change,) = (
        row
        for row in of_trial
        if (row["kind"], row["task"], row["group"], row["metric"]) == ("change", "t2i", "en", "R@1")
    )
    nothing = dict.fromkeys(("low", "high", "p", "p_adjusted", "p_folds"), "")
    place = {"kind": "change", "task": "t2i", "group": "en", "metric": "R@1"}
    spread = {"mean": "0.075000", "std": "0.318198"}
    assert change == {"role": "trial", "arm": "b", "against": "identity", **place, **spread, **nothing}
    assert {row["against"] for row in of_trial if row["kind"] != "change"} == {""}


def test_the_records_of_a_sweep_are_its_summary(solved):
    """Every number of the nested estimates stands once in the records, and no other does."""
    summary = solved[1].summary
    with (solved[0] / "records.csv").open(encoding="utf-8") as file:
        records = {
            tuple(row[key] for key in ("role", "arm", "against", "kind", "task", "group", "metric")): row
            for row in csv.DictReader(file)
        }
    arms = [("trial", one["name"], one) for one in summary["trials"]]
    arms += [("family", f"{one['pivot']}/{one['aligner']}/{one['loss']}", one) for one in summary["families"]]
    arms += [("selected", "selected", summary["selected"])]
    arms += [("baseline", "identity", {"metrics": summary["baselines"]["identity"]})]
    arms += [("baseline", "identity", {"train_metrics": summary["baselines"]["identity_train"]})]
    arms += [("baseline", "chance", {"metrics": summary["baselines"]["chance"]})]
    for key in ("difficulty", "captions"):
        for one in summary["subgroups"].get(key, {}).get("bins", ()):
            arms.append(("subgroup", f"{key}: {one['name']}", {"delta": one["delta"]}))
    seen = set()
    for role, arm, found in arms:
        for kind, key in KINDS.items():
            for task, figures in found.get(key, {}).items():
                groups = {"macro": figures, **figures.get("per_language", {})}
                of_metrics = {name: [key for key in each if key != "per_language"] for name, each in groups.items()}
                for group, metric in ((name, key) for name, keys in of_metrics.items() for key in keys):
                    place = (role, arm, "identity" if kind == "change" else "", kind, task, group, metric)
                    seen.add(place)
                    for column, value in groups[group][metric].items():
                        assert records[place][column] == ("" if value is None else f"{value:.6f}")
    left = {place for place in records if place not in seen}
    assert {(place[0], place[3]) for place in left} <= {("subgroup", "level")}
    assert len(seen) > 1000
