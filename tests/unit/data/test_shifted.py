"""A shifted dataset: the same samples, splits and targets; noise of the declared size on the named modalities alone."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build import shift
from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.images import decode, encode
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.errors import DataError, SpecError
from cggm_pipeline.spec import Project, load_dataset

CLEAN = """version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified, valid: 0.15, test: 0.25, seed: 0}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""
NOISY = """version: 1
kind: dataset
source: {kind: shifted, data: clean, noise: {rotated: 2.0}, seed: 0}
split: {kind: published}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shifted")
    (root / "specs/datasets").mkdir(parents=True)
    documents = {
        "clean": CLEAN,
        "noisy": NOISY,
        "other": NOISY.replace("seed: 0}", "seed: 1}", 1),
        "ordered": NOISY.replace("seed: 0}", "shuffle: false}", 1),
    }
    for name, text in documents.items():
        (root / f"specs/datasets/{name}.yaml").write_text(text)
    prepare(load_dataset("clean", Project(root)).spec, "clean", root)
    for name in ("noisy", "other", "ordered"):
        shift.prepare(load_dataset(name, Project(root)).spec, name, root)
    return root


def opened(project: Path, name: str) -> Prepared:
    return Prepared.open(project / "data/prepared" / name, verify=True)


def test_samples_splits_and_targets_are_those_of_the_other_dataset(project: Path) -> None:
    clean, noisy = opened(project, "clean"), opened(project, "noisy")
    for split in ("train", "valid", "test"):
        here, there = noisy.split(split), clean.split(split)
        assert here.ids != there.ids, "the order is that of the other dataset"
        rows = places(there.ids, here.ids)
        np.testing.assert_array_equal(here.target, there.target[rows])
        np.testing.assert_array_equal(here.take("noisy", np.arange(len(rows))), there.take("noisy", rows))
        assert here.ids == sorted(there.ids, key=lambda key: sha256(f"0:order:{key}".encode()).digest())


def places(of: list[str], keys: list[str]) -> np.ndarray:
    """Where these ids stand; each of them once."""
    assert sorted(of) == sorted(keys)
    return np.array([of.index(key) for key in keys])


def test_without_shuffling_the_order_is_that_of_the_other_dataset(project: Path) -> None:
    clean, kept = opened(project, "clean"), opened(project, "ordered")
    for split in ("train", "valid", "test"):
        assert kept.split(split).ids == clean.split(split).ids
        np.testing.assert_array_equal(kept.split(split).target, clean.split(split).target)


def test_the_noise_is_normal_with_the_declared_deviation_in_the_units_of_the_channel(project: Path) -> None:
    clean, noisy = opened(project, "clean"), opened(project, "noisy")
    here, there = noisy.split("test"), clean.split("test")
    rows = places(there.ids, here.ids)
    added = here.take("rotated", np.arange(len(rows))) - there.take("rotated", rows)
    spread = clean.manifest.statistics["rotated"].std[0]
    assert abs(added.mean()) < 0.03 * spread
    assert added.std() == pytest.approx(2.0 * spread, rel=0.02)
    assert abs(np.corrcoef(added[:-1].ravel(), added[1:].ravel())[0, 1]) < 0.03, "two samples share their noise"


def test_it_depends_on_seed_modality_and_id_alone(project: Path) -> None:
    before = (project / "data/prepared/noisy/test.arrow").read_bytes()
    shift.prepare(load_dataset("noisy", Project(project)).spec, "noisy", project)
    assert (project / "data/prepared/noisy/test.arrow").read_bytes() == before
    assert (project / "data/prepared/other/test.arrow").read_bytes() != before
    spec = load_dataset("noisy", Project(project)).spec
    assert shift.check_raw(spec, "noisy", project) == []


def test_an_upstream_that_is_not_prepared(project: Path, tmp_path: Path) -> None:
    (tmp_path / "specs/datasets").mkdir(parents=True)
    for name, text in (("clean", CLEAN), ("noisy", NOISY)):
        (tmp_path / f"specs/datasets/{name}.yaml").write_text(text)
    with pytest.raises(DataError, match=r"data/prepared/clean/manifest\.json: error: the data set is not prepared yet"):
        shift.prepare(load_dataset("noisy", Project(tmp_path)).spec, "noisy", tmp_path)
    assert not (tmp_path / "data/prepared/noisy").exists()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_encoded_image_is_decoded_as_it_was(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 7, 5), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode(pixels), channels), pixels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("noise: {rotated: 2.0}", "noise: {rotatd: 2.0}"), r"source\.noise\.rotatd: there is no modality.*rotated"),
        (("noise: {rotated: 2.0}", "noise: {rotated: 0}"), r"source\.noise\.rotated: "),
        (("kind: published", "kind: random"), r"split: a shifted dataset has the split of 'clean'"),
        (("rotated: {shape: [1, 8, 8]}", "rotated: {shape: [1, 9, 8]}"), r"modalities\.rotated: .*but 'clean' has"),
        (("number: 10", "number: 9"), r"target: it is not that of 'clean'"),
        (("data: clean", "data: noisy"), r"source\.data: a cycle: noisy -> noisy"),
        (("data: clean", "data: claen"), r"source\.data: there is no dataset 'claen'.*did you mean 'clean'"),
    ],
)
def test_faults_of_the_document_have_their_place(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "specs/datasets").mkdir(parents=True)
    (tmp_path / "specs/datasets/clean.yaml").write_text(CLEAN)
    (tmp_path / "specs/datasets/noisy.yaml").write_text(NOISY.replace(*change))
    with pytest.raises(SpecError) as caught:
        load_dataset("noisy", Project(tmp_path))
    assert len(caught.value.problems) == 1
    assert re.search(message, str(caught.value).replace("\n", " "))
    assert caught.value.problems[0].line
