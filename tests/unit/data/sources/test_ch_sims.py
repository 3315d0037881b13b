"""CH-SIMS: MMSA's pickle only, labels in [-1, 1], sequences of their own lengths, and text in three ways."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources.ch_sims import CHSIMS
from cggm_pipeline.data.twins.ch_sims import write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec import Project, load_dataset

from ._pickles import forms, mmsa, mult, read

SOURCE = CHSIMS(path="t.pkl")
FORMS = forms((None, 2), (5, 4), (None, 3))


def test_labels_beyond_one(tmp_path: Path) -> None:
    raw = read(SOURCE, tmp_path, mmsa(1), FORMS)
    assert all(-1 <= float(label) <= 1 for label in raw.labels)
    content = mmsa(1)
    content["valid"]["regression_labels"][1] = 1.2
    with pytest.raises(DataError, match=r"valid, sample 1 \(validvideo\$_\$1\): error: label 1\.2 is not in \[-1, 1\]"):
        read(SOURCE, tmp_path, content, FORMS)


def test_labels_are_multiplied_after_they_were_checked(tmp_path: Path) -> None:
    plain = read(SOURCE, tmp_path, mmsa(1), FORMS).labels
    scaled = read(CHSIMS(path="t.pkl", label_scale=3.0), tmp_path, mmsa(1), FORMS).labels
    assert [float(label) for label in scaled] == [3 * float(label) for label in plain]
    assert max(abs(float(label)) for label in scaled) > 1


def test_the_layout_of_mult_is_none_of_this_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected are at least MMSA: text, audio, vision, regression_labels$"):
        read(SOURCE, tmp_path, mult(), forms())


@pytest.mark.parametrize("text", ["{shape: [39, 768]}", "{shape: [null, 768]}", "{shape: [], dtype: text}",
                                  "{shape: [null], dtype: int64}"])  # fmt: skip
def test_the_twin_becomes_prepared_data(tmp_path: Path, root: Path, text: str) -> None:
    (tmp_path / "specs/datasets").mkdir(parents=True)
    written = (root / "specs/datasets/ch-sims.yaml").read_text().replace("{shape: [39, 768]}", text)
    (tmp_path / "specs/datasets/ch-sims.yaml").write_text(written)
    write(tmp_path / "data/raw/ch-sims")
    file = tmp_path / "data/raw/ch-sims/unaligned_39.pkl"
    document = load_dataset("ch-sims", Project(tmp_path)).spec
    prepared = Prepared.open(prepare(document, "ch-sims", tmp_path), verify=True)
    content = pickle.loads(file.read_bytes())  # noqa: S301 (our own twin)
    for split, part in content.items():
        here = prepared.split(split)
        np.testing.assert_array_equal(here.target[:, 0], part["regression_labels"])
        assert here.ids == part["id"].tolist()
        for name in ("audio", "vision"):
            lengths = part[f"{name}_lengths"]
            for position, value in enumerate(here.take(name, np.arange(len(here)))):
                np.testing.assert_array_equal(value, part[name][position, : lengths[position]])
        tokens = int(part["text_bert"][1, 1].sum())
        expected = {
            "{shape: [39, 768]}": part["text"][1],
            "{shape: [null, 768]}": part["text"][1, :tokens],
            "{shape: [], dtype: text}": np.frombuffer(str(part["raw_text"][1]).encode(), np.uint8),
            "{shape: [null], dtype: int64}": part["text_bert"][1, 0, :tokens],
        }
        np.testing.assert_array_equal(here.take("text", [1])[0], expected[text])
    assert file.stat().st_size < 6e6


def test_the_twin_has_the_keys_of_the_published_file(tmp_path: Path) -> None:
    write(tmp_path)
    content = pickle.loads((tmp_path / "unaligned_39.pkl").read_bytes())  # noqa: S301 (our own twin)
    assert list(content) == ["train", "valid", "test"]
    labels = {f"{kind}_labels{of}" for kind in ("regression", "classification") for of in ("", "_T", "_A", "_V")}
    others = {
        "raw_text",
        "text_bert",
        "text",
        "audio",
        "vision",
        "audio_lengths",
        "vision_lengths",
        "annotations",
        "id",
    }
    assert all(set(part) == labels | others for part in content.values())
