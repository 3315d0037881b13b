"""Bars on a terminal, also one after the other inside a longer piece of work, and silence elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from cggm_pipeline.build.narration import counting
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.progress import shown
from cggm_pipeline.data.sources.brats import BraTS
from cggm_pipeline.data.sources.food101 import Food101
from cggm_pipeline.data.twins import brats, food101
from cggm_pipeline.data.writing import hashed


def work(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"raw")
    with counting("prepare it", 3) as advance:
        assert list(hashed({"file": tmp_path / "file"})) == ["file"]
        assert list(shown(range(3), "look through", None)) == [0, 1, 2]
        for _ in range(3):
            advance(1)


def test_every_piece_of_work_has_a_bar_on_a_terminal(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    work(tmp_path)
    said = capsys.readouterr()
    for label in ("prepare it", "hash raw files", "look through"):
        assert label in said.err
    assert said.out == ""


def test_nothing_is_shown_elsewhere(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    work(tmp_path)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("source", "twin", "forms", "labels"),
    [
        (
            BraTS(path="raw"),
            brats,
            {name: Form((1, 64, 64), "float16") for name in ("flair", "t1", "t1ce", "t2")},
            ["read segmentations"],
        ),
        (
            Food101(path="raw"),
            food101,
            {"image": Form((3, None, None), "uint8"), "text": Form((), "text")},
            ["read raw/train.json", "find images"],
        ),
    ],
    ids=["brats", "food101"],
)
def test_indexing_large_data_is_shown(source, twin, forms, labels, tmp_path, monkeypatch, capsys) -> None:
    twin.write(tmp_path / "raw")
    if twin is brats:
        import nibabel

        plane = nibabel.load(next((tmp_path / "raw").rglob("*_seg.nii.gz"))).shape[:2]
        forms = {name: Form((1, *plane), "float16") for name in forms}
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    problems = Problems()
    raw = source.read(tmp_path, forms, problems)
    problems.check()
    said = capsys.readouterr().err
    assert all(label in said for label in labels)
    if twin is brats:
        sizes = {len(raw.units(np.arange(len(raw.ids)))), len(set(raw.groups))}
        assert len(sizes) == 1
        height, width = plane
        depth = len(raw.ids) // len(set(raw.groups))
        assert raw.unit_bytes == height * width * (14 + 17) * depth
