"""BasicMotions: made-up .ts files in aeon's format, every fault with FILE:LINE, the real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ._projects import SourceProject, real

CLASSES = ("Standing", "Running", "Walking", "Badminton")
TRAIN = "BasicMotions_TRAIN.ts"
HEAD = f"# a comment\n@problemName BasicMotions\n@dimensions 6\n@classLabel true {' '.join(CLASSES)}\n@data\n"


def values(seed: int) -> np.ndarray:
    """(6, 100), as exact as text."""
    return np.random.default_rng(seed).integers(-9999, 9999, (6, 100)) / 1000


def line(array: np.ndarray, label: str) -> str:
    return ":".join([*(",".join(map(repr, row.tolist())) for row in array), label])


@pytest.fixture
def project(tmp_path: Path) -> SourceProject:
    """Four cases of each class in both files; case i of both has the values of seed i."""
    made = SourceProject(tmp_path, "basicmotions")
    for name in ("TRAIN", "TEST"):
        lines = [line(values(index), CLASSES[index % 4]) for index in range(16)]
        (made.raw / f"BasicMotions_{name}.ts").write_text(HEAD + "\n".join(lines) + "\n")
    return made


def test_made_up_files_come_back(project: SourceProject) -> None:
    prepared = project.prepared()
    assert prepared.manifest.counts == {"train": 5, "valid": 11, "test": 16}
    assert prepared.manifest.classes == tuple(sorted(CLASSES))
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        for index in range(len(samples)):
            sample = samples[index]
            number = int(sample["id"].split("-")[1])
            assert sample["id"].split("-")[0] == ("test" if split == "test" else "train")
            expected = values(number).T.astype(np.float32)
            assert np.array_equal(sample["accelerometer"], expected[:, :3])
            assert np.array_equal(sample["gyroscope"], expected[:, 3:])
            assert prepared.manifest.classes[sample["target"]] == CLASSES[number % 4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(":Running", ":Runing", 1), "7: error: 'Runing' is none of the classes Standing"),
        (lambda text: text.replace(",", ",nan,", 1), "6: error: it has 6 dimensions of 101, 100, 100, 100, 100, 100 v"),
        (lambda text: text.replace(":", ":1:", 1), "6: error: it has 7 dimensions"),
        (lambda text: text.replace(text.split("\n")[5].split(",")[1], "nan", 1), "6: error: 'nan' is not a number"),
        (lambda text: text.replace(text.split("\n")[5].split(",")[1], "?", 1), "6: error: '?' is not a number"),
        (lambda text: text.replace("@data", "@dat"), "error: it has no cases behind a line @data"),
        (lambda text: HEAD, "error: it has no cases behind a line @data"),
        (lambda text: text.replace("@classLabel true", "@classLabel false"), "error: it has no line '@classLabel true"),
        (lambda text: "", "error: it has no cases"),
    ],
)
def test_every_fault_has_its_place(project: SourceProject, change: object, said: str) -> None:
    path = project.raw / TRAIN
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    message = project.error()
    assert said in message, message
    assert f"data/raw/basicmotions/{TRAIN}" in message


def test_a_missing_or_foreign_file_is_said(project: SourceProject, tmp_path: Path) -> None:
    path = project.raw / TRAIN
    path.write_bytes(b"\xff\xfe")
    assert f"{TRAIN}: error: it cannot be read" in project.error()
    path.unlink()
    assert f"{TRAIN}: error: it cannot be read" in project.error()
    (tmp_path / "outside.ts").write_text(HEAD)
    path.symlink_to(tmp_path / "outside.ts")
    assert "leads out of" in project.error()


def test_the_real_files_are_40_and_40_cases(shared_data: Path, tmp_path: Path) -> None:
    prepared = real(shared_data, tmp_path, "basicmotions").prepared()
    assert prepared.manifest.counts == {"train": 12, "valid": 28, "test": 40}
    assert prepared.manifest.class_counts["test"] == (10, 10, 10, 10)
    first = prepared.split("test")
    assert np.isclose(np.concatenate([first[i]["accelerometer"].ravel() for i in range(40)]).std(), 6, atol=3)
