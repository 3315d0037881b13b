"""Reading runs: what is damaged is named, what is absent is absent."""

from __future__ import annotations

import numpy as np
import pytest

from cggm_pipeline.errors import DataError
from cggm_pipeline.report.runs import read_confusion, read_predictions, read_row, read_scores


def read_everything(runs):
    read_row(runs / "joint")
    read_scores(runs)
    read_confusion(runs)
    read_predictions(runs, "joint", 0)


def test_a_finished_row(written):
    row = read_row(written.runs / "cggm-paper")
    assert list(row.seeds) == [0, 1, 2, 3, 4]
    assert row.seeds[0].history["B_noisy"].shape == (20,)
    assert row.summary["classifier_parameters"] == 5300
    assert not row.failures
    assert row.experiment is not None
    assert row.experiment.modulation.kind == "cggm"


def test_a_failed_seed_says_where(written):
    written.fail("joint", 2)
    assert str(read_row(written.runs / "joint").failures[2]) == (
        "loss is not finite (step 211, tensor loss, modality noisy)"
    )


def test_what_was_not_run_is_empty(tmp_path):
    assert not read_row(tmp_path / "runs" / "t" / "r").seeds
    assert read_scores(tmp_path) == []
    assert read_confusion(tmp_path) == {}
    assert read_predictions(tmp_path, "r", 0) is None


def test_an_empty_cell_of_a_history_is_no_number(written):
    path = written.runs / "joint" / "train" / "seed-0" / "history.csv"
    path.write_text("epoch,train_loss\n0,\n1,0.5\n")
    history = read_row(written.runs / "joint").seeds[0].history
    assert np.isnan(history["train_loss"][0])
    assert history["train_loss"][1] == 0.5


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("joint/train/seed-0/history.csv", "epoch,train_loss\n0,abc\n"),
        ("joint/train/seed-0/summary.json", "{"),
        ("joint/train/seed-0/summary.json", "[]"),
        ("joint/cost.json", "nonsense"),
        ("evaluation/seeds.json", '[{"row": "joint"}]'),
        ("evaluation/seeds.json", "{}"),
        ("evaluation/confusion.json", '{"joint": [[1, 2]]}'),
        ("evaluation/predictions/joint-0.npz", "no archive"),
    ],
)
def test_a_damaged_file_is_named(written, path, content):
    (written.runs / path).write_text(content)
    with pytest.raises(DataError, match=path.rpartition("/")[2]):
        read_everything(written.runs)


def test_a_seed_without_summary_or_failure_is_named(written):
    (written.runs / "joint" / "train" / "seed-3" / "summary.json").unlink()
    with pytest.raises(DataError, match="seed-3: neither summary"):
        read_row(written.runs / "joint")


def test_predictions_are_never_unpickled(written):
    path = written.runs / "evaluation" / "predictions" / "joint-0.npz"
    np.savez(path, target=np.array([{}], dtype=object), prediction=np.zeros((1, 2)), ids=np.array(["a"]))
    with pytest.raises(DataError, match="joint-0"):
        read_predictions(written.runs, "joint", 0)


def test_predictions_that_do_not_fit_together_are_refused(written):
    path = written.runs / "evaluation" / "predictions" / "joint-0.npz"
    np.savez(path, target=np.zeros(3), prediction=np.zeros((2, 2)), ids=np.array(["a", "b"]))
    with pytest.raises(DataError, match="3 of target, 2 of prediction"):
        read_predictions(written.runs, "joint", 0)


def test_an_archive_without_anything_per_sample_is_refused(written):
    path = written.runs / "evaluation" / "predictions" / "joint-0.npz"
    np.savez(path, ids=np.array(["a", "b"]))
    with pytest.raises(DataError, match="neither predictions nor values of samples"):
        read_predictions(written.runs, "joint", 0)
    np.savez(path, ids=np.array(["a", "b"]), sample_dice=np.zeros(3))
    with pytest.raises(DataError, match="3 of dice, 2 of ids"):
        read_predictions(written.runs, "joint", 0)


def test_a_seed_that_stopped_while_it_was_adapted_says_so(written):
    row = written.runs / "joint"
    folder = row / "adapted" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"error": "contrast_loss is not finite", "step": 3}')
    assert 0 not in read_row(row).failures
    assert str(read_row(row, "adapted").failures[0]) == "contrast_loss is not finite (step 3)"
    assert read_row(row, "adapted").seeds[0].history
