"""Targets that are a class per pixel, samples that belong together: on disk, in splits, in batches."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from cggm_pipeline.build import data as build_data
from cggm_pipeline.build.data import pinned, pinned_split
from cggm_pipeline.data import writing
from cggm_pipeline.data.batches import Resident, Streamed, order
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.targets import Mask
from cggm_pipeline.data.units import units
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

SHAPE = (4, 6)
FORMS = {"flair": Form((1, *SHAPE), "float16")}
CASES, SLICES = 9, 5


class Volumes(Raw):
    """Slices of cases, dealt out in turn so that a case is not in one piece; made in `sample`, kept nowhere."""

    def __init__(self) -> None:
        number = CASES * SLICES
        self.groups = [f"case-{index % CASES}" for index in range(number)]
        self.ids = [f"{group}-{index // CASES}" for index, group in enumerate(self.groups)]
        self.labels = [""] * number
        self.files = {}
        self.banner = "made by a test"

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        return {"flair": np.full((1, *SHAPE), index / 8)}

    def mask(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 4, SHAPE)


def split_of(raw: Volumes) -> list[str]:
    where = {f"case-{k}": split for k, split in enumerate(["train"] * 5 + ["valid", "valid", "test", "test"])}
    return [where[group] for group in raw.groups]


def content(raw: Raw, splits: list[str]) -> Content:
    return Content("scans", raw, FORMS, None, ("nothing", "core", "oedema", "tumour"), splits, SHAPE)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    monkeypatch.setattr(writing, "CHUNK_ROWS", 4)
    raw = Volumes()
    write(tmp_path / "scans", content(raw, split_of(raw)))
    return Prepared.open(tmp_path / "scans", verify=True)


def test_masks_come_back_in_any_order(prepared: Prepared) -> None:
    raw, split = Volumes(), prepared.split("train")
    rows = [24, 3, 3, 0]
    expected = np.stack([raw.mask(raw.ids.index(split.ids[row])) for row in rows])
    assert split.targets(rows).dtype == np.uint8
    assert np.array_equal(split.targets(rows), expected)
    assert np.array_equal(split[7]["target"], split.targets([7])[0])
    with pytest.raises(TypeError, match="targets"):
        _ = split.target
    with pytest.raises(IndexError):
        split.targets([25])


def test_the_file_and_the_manifest_say_what_they_hold(prepared: Prepared) -> None:
    with pa.memory_map(str(prepared.folder / "valid.arrow")) as source:
        assert pa.ipc.open_file(source).schema.names == ["id", "target", "group", "flair"]
    manifest = prepared.manifest
    assert (manifest.mask, manifest.grouped, manifest.banner, manifest.width) == (SHAPE, True, "made by a test", 0)
    raw, splits = Volumes(), split_of(Volumes())
    pixels = sum(np.bincount(raw.mask(k).reshape(-1), minlength=4) for k, s in enumerate(splits) if s == "valid")
    assert manifest.class_counts["valid"] == tuple(pixels.tolist())
    assert sum(manifest.class_counts["train"]) == 5 * SLICES * SHAPE[0] * SHAPE[1]


def test_a_group_stands_in_one_piece_and_the_rest_keeps_its_order(prepared: Prepared) -> None:
    split = prepared.split("train")
    assert split.groups == [f"case-{k}" for k in range(5) for _ in range(SLICES)]
    assert split.ids == [f"case-{k}-{z}" for k in range(5) for z in range(SLICES)]


def test_data_without_groups_say_so(written) -> None:
    one = np.ones(2, np.float32)
    prepared = written({"m": Form((2,), "float32")}, {"m": [one] * 3}, ["train", "valid", "test"])
    assert prepared.split("train").groups is None
    assert (prepared.manifest.grouped, prepared.manifest.mask, prepared.manifest.banner) == (False, None, "")
    assert prepared.split("valid").targets([0]).tolist() == [1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 5), np.uint8), r"sample case-3-1: error: mask: it has shape \[4, 5\], declared is \[4, 6\]"),
        (np.full(SHAPE, 4), "mask: it has a pixel of class 4; allowed are 0 to 3"),
        (np.full(SHAPE, -1), "mask: it has a pixel of class -1"),
        (np.full(SHAPE, 0.5), "mask: it has dtype float64"),
        (np.full(SHAPE, 260), "mask: it has a pixel of class 260"),
    ],
)
def test_a_wrong_mask_is_named_with_its_sample(tmp_path: Path, wrong: np.ndarray, message: str) -> None:
    raw = Volumes()
    there = raw.mask
    raw.mask = lambda index: wrong if index == CASES + 3 else there(index)  # type: ignore[method-assign]
    with pytest.raises(DataError, match=message):
        write(tmp_path / "scans", content(raw, split_of(raw)))
    assert not (tmp_path / "scans").exists()


def test_a_source_may_leave_samples_out(tmp_path: Path) -> None:
    raw = Volumes()
    kept = ["" if s == "train" and key.endswith("-2") else s for s, key in zip(split_of(raw), raw.ids, strict=True)]
    seen: list[int] = []
    manifest = write(tmp_path / "scans", content(raw, kept), seen.append)
    assert manifest.counts == {"train": 20, "valid": 10, "test": 10}
    assert sum(seen) == 40
    assert not [key for key in Prepared.open(tmp_path / "scans").split("train").ids if key.endswith("-2")]


def test_a_mask_target_has_names_and_no_array() -> None:
    problems = Problems()
    assert Mask(number=3, shape=(4, 6)).encode(Volumes(), problems) == (None, ("0", "1", "2"))
    assert Mask(number=2, shape=(4, 6), names=("a", "b")).encode(Volumes(), problems) == (None, ("a", "b"))
    problems.check()
    Mask(number=3, shape=(4, 6), names=("a", "b")).encode(Volumes(), problems)
    with pytest.raises(DataError, match=r"target\.number is 3, but there are 2 names: a, b"):
        problems.check()


def document(split: dict[str, object]) -> Dataset:
    return Dataset.model_validate(
        {
            "version": 1,
            "kind": "dataset",
            "source": {"kind": "brats"},
            "split": split,
            "modalities": {"flair": {"shape": [1, *SHAPE], "dtype": "float16"}},
            "target": {"kind": "mask", "number": 4, "shape": list(SHAPE)},
        }
    )


@pytest.mark.parametrize("valid", [0.2, 0.34])
def test_splits_are_drawn_and_pinned_by_group(tmp_path: Path, valid: float) -> None:
    raw = Volumes()
    dataset = document({"kind": "random", "valid": valid, "test": 0.2})
    drawn = pinned(dataset, "scans", tmp_path, raw, None, ("0", "1", "2", "3"))
    assert all(len({s for s, g in zip(drawn, raw.groups, strict=True) if g == group}) == 1 for group in raw.groups)
    assert Counter(drawn)["valid"] == round(valid * CASES) * SLICES
    lines = pinned_split("scans", tmp_path).read_text().splitlines()
    assert lines[0].endswith(f"ids={CASES}")
    assert [line.split(",")[0] for line in lines[3:]] == [f"case-{k}" for k in range(CASES)]
    assert pinned(dataset, "scans", tmp_path, raw, None, ("0", "1", "2", "3")) == drawn


def test_a_published_split_must_not_cut_a_group() -> None:
    published = ["train", "valid", "train", "train"]
    with pytest.raises(DataError, match="samples of one group are in several published splits: b"):
        units(["1", "2", "3", "4"], ["a", "b", "a", "b"], None, published)
    whole = units(
        ["1", "2", "3", "4"], ["b", "a", "b", "b"], np.array([1, 0, 2, 2]), ["train", "test", "train", "train"]
    )
    assert (whole.keys, whole.published, whole.target.tolist()) == (["a", "b"], ["test", "train"], [0, 2])
    assert whole.spread(["x", "y"]) == ["y", "x", "y", "y"]


def test_prepare_makes_masks_from_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_data, "read_raw", lambda *_: (Volumes(), FORMS))
    folder = build_data.prepare(document({"kind": "random", "valid": 0.2, "test": 0.2}), "scans", tmp_path)
    manifest = Prepared.open(folder).manifest
    assert (manifest.mask, manifest.classes, manifest.banner) == (SHAPE, ("0", "1", "2", "3"), "made by a test")


def test_an_older_prepared_folder_is_to_be_prepared_again(prepared: Prepared) -> None:
    path = prepared.folder / "manifest.json"
    content = json.loads(path.read_text())
    older = {k: v for k, v in content.items() if k not in ("banner", "mask", "grouped")} | {"format": 1}
    path.write_text(json.dumps(older))
    with pytest.raises(DataError, match=r"format 1 \(this program reads 2\)\n  Prepare the data again"):
        Prepared.open(prepared.folder)


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_batches_have_the_masks_of_their_samples(prepared: Prepared, kind) -> None:
    split = prepared.split("train")
    for batch in kind(split).batches(7, order=order(25, 0, 0), train=True):
        assert batch.target.dtype == torch.int64
        assert np.array_equal(batch.target.numpy(), split.targets(batch.index.numpy()))
        assert batch.inputs["flair"].values.dtype == torch.float32
