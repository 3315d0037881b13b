"""CMU-MOSEI: the same layouts as CMU-MOSI, other sizes, and -inf in the audio of the published file."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.mosei import MOSEI
from cggm_pipeline.data.twins.mosei import write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec import Project, load_dataset

from ._pickles import forms, mmsa, mult, read, sampled

SOURCE = MOSEI(path="t.pkl")


def test_both_layouts(tmp_path: Path) -> None:
    widths = (74, 300, 35)
    raw = read(SOURCE, tmp_path, mult(4, widths), forms(*[(4, width) for width in widths]))
    assert {name: np.shape(values) for name, values in sampled(raw).items()} == {
        name: (9, 4, width) for name, width in zip(("audio", "text", "vision"), widths, strict=True)
    }
    raw = read(SOURCE, tmp_path, mmsa(), forms((None, 2), (5, 4), (None, 3)))
    assert [len(value) for value in sampled(raw)["vision"][:4]] == [7, 6, 5, 4]


def test_labels_beyond_three(tmp_path: Path) -> None:
    content = mult()
    content["test"]["labels"][2] = -4
    with pytest.raises(DataError, match=r"test, sample 2 .*label -4 is not in \[-3, 3\]"):
        read(SOURCE, tmp_path, content, forms())


def test_the_twin_becomes_prepared_data(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "specs/datasets").mkdir(parents=True)
    shutil.copy(root / "specs/datasets/mosei.yaml", tmp_path / "specs/datasets")
    write(tmp_path / "data/raw/mosei")
    file = tmp_path / "data/raw/mosei/mosei_senti_data.pkl"
    document = load_dataset("mosei", Project(tmp_path)).spec
    prepared = Prepared.open(prepare(document, "mosei", tmp_path), verify=True)
    content = pickle.loads(file.read_bytes())  # noqa: S301 (our own twin)
    silent = sum(int(np.isneginf(part["audio"]).sum()) for part in content.values())
    assert silent == 14
    assert f"prepare mosei: audio: {silent} values of -inf became 0" in capsys.readouterr().err
    train = prepared.split("train")
    audio = content["train"]["audio"]
    np.testing.assert_array_equal(train.take("audio", np.arange(32)), np.where(np.isinf(audio), 0, audio))
    assert train.ids[1] == "train00$_$5.1$_$10.0"
    assert file.stat().st_size < 6e6
