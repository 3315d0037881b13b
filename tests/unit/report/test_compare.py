"""`cggm compare`: two rows, two seeds, and folders that are no run."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli.compare_ import command
from cggm_pipeline.errors import DataError
from cggm_pipeline.report.compare import compare


def test_rows_are_compared_in_settings_and_metrics(written):
    found = compare(written.runs / "joint", written.runs / "cggm-paper")
    changes = {key: (one, other) for key, one, other in found.changes}
    assert changes["modulation.kind"] == ("none", "cggm")
    assert changes["modulation.rho"] == ("–", 1.3)
    assert changes["parameters of classifiers"] == (0, 5300)
    assert not any(key.startswith(("training", "data", "versions")) for key in changes)
    accuracy = next(one for one in found.metrics if (one.split, one.metric.name) == ("test", "accuracy"))
    assert accuracy.difference.covers == "seeds and samples"
    assert accuracy.difference.mean == pytest.approx(accuracy.other.mean - accuracy.one.mean)
    assert {one.split for one in found.metrics} == {"test", "valid"}


def test_one_seed_of_each(written):
    found = compare(written.runs / "joint/train/seed-1", written.runs / "cggm-paper/train/seed-1")
    accuracy = next(one for one in found.metrics if one.metric.name == "accuracy")
    assert (accuracy.one.n, accuracy.difference.n, accuracy.difference.covers) == (1, 1, "samples")


def test_validation_values_are_those_of_the_epoch_that_was_kept(written):
    found = compare(written.runs / "joint/train/seed-1", written.runs / "joint/train/seed-1")
    valid = next(one for one in found.metrics if (one.split, one.metric.name) == ("valid", "accuracy"))
    lines = (written.runs / "joint/train/seed-1/history.csv").read_text().splitlines()
    place = lines[0].split(",").index("valid_accuracy")
    assert valid.one.mean == float(lines[1 + 15].split(",")[place])
    assert found.changes == ()


def test_different_seeds_have_no_paired_difference(written):
    found = compare(written.runs / "joint/train/seed-1", written.runs / "joint/train/seed-2")
    assert all(one.difference is None for one in found.metrics)


def test_a_run_that_was_not_evaluated_is_compared_on_validation(written):
    (written.runs / "evaluation" / "seeds.json").unlink()
    found = compare(written.runs / "joint", written.runs / "cggm-paper")
    assert {one.split for one in found.metrics} == {"valid"}


@pytest.mark.parametrize("path", ["nothing", "evaluation", "joint/train/seed-9"])
def test_a_folder_that_is_no_run_is_refused(written, path):
    with pytest.raises(DataError, match=r"is not a run|has no trained seed"):
        compare(written.runs / "joint", written.runs / path)


def test_the_command_prints_aligned_lines(written):
    result = CliRunner().invoke(command, [str(written.runs / "joint"), str(written.runs / "cggm-stable")])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "modulation.preset" in result.output
    accuracy = next(line for line in lines if "test Accuracy [%]" in line)
    assert "5 seeds and test samples" in accuracy
    head = next(line for line in lines if "second − first [95 %]" in line)
    assert head.index("over") == accuracy.index("5 seeds")


def test_equal_runs_say_so(written):
    result = CliRunner().invoke(command, [str(written.runs / "joint")] * 2)
    assert "same settings" in result.output


def test_all_shows_the_validation_split_too(written):
    folders = [str(written.runs / "joint"), str(written.runs / "cggm-stable")]
    assert "valid Accuracy" in CliRunner().invoke(command, [*folders, "--all"]).output
    assert "valid Accuracy" not in CliRunner().invoke(command, folders).output


def test_runs_on_made_up_data_are_told(written):
    sides = written.runs / "joint", written.runs / "cggm-paper"
    assert compare(*sides).banners == ()
    path = written.runs / "cggm-paper/train/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "banner": "made by `cggm twin`"}))
    assert compare(*sides).banners == ("made by `cggm twin`",)
    shown = CliRunner().invoke(command, [str(side) for side in sides], catch_exceptions=False)
    assert shown.output.startswith("made by `cggm twin`\n")
