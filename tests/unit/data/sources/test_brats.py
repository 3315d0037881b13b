"""BraTS: what the slices and masks are, in all three layouts, and what reading them takes."""

from __future__ import annotations

import gzip
import shutil
import threading
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from cggm_pipeline.build.data import prepare
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.sources import _nifti
from cggm_pipeline.data.sources._brats_case import CONTRASTS, Volume
from cggm_pipeline.data.sources._brats_h5 import ORDER
from cggm_pipeline.data.threads import in_order
from cggm_pipeline.data.twins import brats as twin
from cggm_pipeline.data.twins.marker import mark

from ._brats import DEPTH, LAYOUTS, PATH, Project, document


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(params=LAYOUTS)
def any_layout(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(tmp_path, request.param, cases=2)


def test_a_slice_is_the_z_score_over_the_brain_of_its_volume(project: Project) -> None:
    raw, members = project.read(), np.arange(3 * DEPTH)
    for contrast in CONTRASTS:
        voxels = project.voxels(contrast).astype(np.float64)
        brain = voxels[voxels > 0]
        expected = np.where(voxels > 0, (voxels - brain.mean()) / brain.std(), 0)
        found = np.stack([raw.sample(z, members)[contrast] for z in range(DEPTH)], -1)
        assert found.shape == (1, *twin.SIZE)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
        assert found[0][voxels > 0].mean() == pytest.approx(0, abs=1e-5)
        assert found[0][voxels > 0].std() == pytest.approx(1, abs=1e-5)
        assert not found[0][voxels == 0].any()


def test_the_z_score_is_that_of_monai(project: Project) -> None:
    from monai.transforms import NormalizeIntensity

    raw = project.read()
    volumes = np.stack([project.voxels(contrast) for contrast in CONTRASTS]).astype(np.float32)
    theirs = np.asarray(NormalizeIntensity(nonzero=True, channel_wise=True)(volumes))
    ours = np.stack([np.concatenate([raw.sample(z, np.arange(DEPTH))[c] for c in CONTRASTS]) for z in range(DEPTH)], -1)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_closed_form_of_a_z_score() -> None:
    values = np.zeros((2, 2, 2), np.int16)
    values[0, 0, 0], values[0, 0, 1], values[1, 1, 1] = 2, 4, 6
    volume = Volume(values)
    assert (volume.mean, volume.deviation) == (4.0, pytest.approx((8 / 3) ** 0.5))
    np.testing.assert_allclose(volume.slice(1), [[[0, 0], [0, (3 / 2) ** 0.5]]], rtol=1e-6)


def test_what_is_normalised_already_stays_as_it_is() -> None:
    values = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    values[:2] = 0
    once = np.concatenate([Volume(values).slice(z) for z in range(8)]).transpose(1, 2, 0)
    twice = np.concatenate([Volume(once).slice(z) for z in range(8)]).transpose(1, 2, 0)
    np.testing.assert_allclose(once, twice, atol=1e-5)


def test_all_layouts_give_the_same_samples(tmp_path: Path) -> None:
    raws = [Project(tmp_path / layout, layout, cases=2).read() for layout in LAYOUTS]
    members = np.arange(2 * DEPTH)
    for index in (0, 7, DEPTH + 9):
        first, *others = [{**raw.sample(index, members), "mask": raw.mask(index)} for raw in raws]
        for other in others:
            for name, values in first.items():
                np.testing.assert_array_equal(values.astype(np.float16), other[name].astype(np.float16), err_msg=name)


@pytest.mark.parametrize("layout", ["2021", "h5"])
def test_label_4_is_class_3(tmp_path: Path, layout: str) -> None:
    raw = Project(tmp_path, layout, cases=1).read()
    old = Project(tmp_path / "nifti", cases=1).voxels("seg")
    masks = np.stack([raw.mask(z) for z in range(DEPTH)], -1)
    assert masks.dtype == np.uint8
    assert set(np.unique(old)) == {0, 1, 2, 4}
    np.testing.assert_array_equal(masks, np.where(old == 4, 3, old))


def test_ids_groups_files_and_units(any_layout: Project) -> None:
    raw = any_layout.read()
    first, second = any_layout.case(0), any_layout.case(1)
    assert list(raw.ids) == [f"{case}/{z:03d}" for case in (first, second) for z in range(DEPTH)]
    assert list(raw.groups or ()) == [first] * DEPTH + [second] * DEPTH
    assert set(raw.labels) == {""}
    assert len(raw.files) == (2 if any_layout.layout == "h5" else 10)
    for name, path in raw.files.items():
        assert name.startswith(f"{PATH}/")
        assert path.samefile(any_layout.root / name)
    members = np.array([3, 4, 9, DEPTH, DEPTH + 5])
    assert [unit.tolist() for unit in raw.units(members)] == [[3, 4, 9], [DEPTH, DEPTH + 5]]
    assert list(raw.units(members[:0])) == []


def test_slices_are_chosen_by_first_last_and_step(project: Project) -> None:
    raw, whole = project.read(first=3, last=13, step=5), project.read()
    assert [key.split("/")[1] for key in raw.ids[:3]] == ["003", "008", "013"]
    assert len(raw.ids) == 9
    np.testing.assert_array_equal(raw.mask(4), whole.mask(DEPTH + 8))
    np.testing.assert_array_equal(raw.sample(4, np.arange(9))["t2"], whole.sample(DEPTH + 8, np.arange(9))["t2"])


def test_only_the_slices_with_tumour_are_kept_where_it_is_asked(project: Project) -> None:
    raw = project.read(only_tumour=["train", "test"])
    splits = ["train"] * DEPTH + ["valid"] * DEPTH + ["test"] * DEPTH
    tumour = [bool(raw.mask(index).any()) for index in range(3 * DEPTH)]
    assert 0 < sum(tumour) < len(tumour)
    expected = [s if s == "valid" or t else "" for s, t in zip(splits, tumour, strict=True)]
    assert list(raw.kept(splits)) == expected
    assert raw.notes[0] == f"{DEPTH - sum(tumour[:DEPTH])} slices without tumour are left out of train"
    assert list(project.read(only_tumour=[]).kept(splits)) == splits


@pytest.mark.parametrize("nested", ["BraTS2021_Training_Data", "train"])
def test_one_folder_may_lie_between(any_layout: Project, nested: str) -> None:
    before = list(any_layout.read().ids)
    shutil.move(any_layout.raw, any_layout.root / "moved")
    shutil.move(any_layout.root / "moved", any_layout.raw / nested)
    (any_layout.raw / "__MACOSX").mkdir()
    (any_layout.raw / ".DS_Store").write_bytes(b"")
    (any_layout.raw / "name_mapping.csv").write_text("a,b\n")
    assert list(any_layout.read().ids) == before


def test_files_may_be_unpacked_scaled_or_floats(project: Project) -> None:
    expected = project.read().sample(8, np.arange(DEPTH))
    packed = project.file("flair")
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    project.put(project.voxels("t1").astype(np.float32), "t1")
    project.put(project.voxels("t2").astype(np.float64), "t2")
    project.header("t1ce", scl_slope=0.5, scl_inter=0.0)
    found = project.read().sample(8, np.arange(DEPTH))
    for contrast in CONTRASTS:
        np.testing.assert_allclose(found[contrast], expected[contrast], atol=1e-5, err_msg=contrast)


def test_a_gzip_file_of_several_members_is_one_volume(project: Project) -> None:
    expected = project.read().mask(8)
    data = gzip.decompress(project.file("seg").read_bytes())
    parts = [data[:100], b"", data[100:5000], data[5000:]]
    project.file("seg").write_bytes(b"".join(map(gzip.compress, parts)))
    np.testing.assert_array_equal(project.read().mask(8), expected)


def test_the_twin_is_prepared_case_by_case(tmp_path: Path) -> None:
    project = Project(tmp_path, cases=10)
    mark(project.raw, "brats", 0)
    prepared = Prepared.open(prepare(document(), "brats", tmp_path), verify=True)
    manifest, splits = prepared.manifest, {name: prepared.split(name) for name in ("train", "valid", "test")}
    assert manifest.banner.startswith("made by `cggm twin brats`")
    assert (manifest.counts["valid"], manifest.counts["test"]) == (DEPTH, DEPTH)
    cases = [set(split.groups or ()) for split in splits.values()]
    assert [len(case) for case in cases] == [8, 1, 1]
    assert len(set.union(*cases)) == 10
    raw = project.read()
    for split in splits.values():
        for row in (0, len(split) // 2, len(split) - 1):
            index = list(raw.ids).index(split.ids[row])
            np.testing.assert_array_equal(split.targets(np.array([row]))[0], raw.mask(index))
            for contrast, values in raw.sample(index, np.arange(1)).items():
                np.testing.assert_array_equal(split.take(contrast, [row])[0], values.astype(np.float16))
    assert all(mask.any() for mask in splits["train"].targets(np.arange(len(splits["train"]))))
    assert manifest.class_counts["train"][0] > sum(manifest.class_counts["train"][1:]) > 0


def test_no_contrast_tells_all_regions_of_the_twin_apart(tmp_path: Path) -> None:
    """The best threshold of every contrast finds some region well, none finds all: there is something to fuse."""
    project = Project(tmp_path, cases=1)
    labels = project.voxels("seg")
    brain = project.voxels("flair") > 0
    for contrast in CONTRASTS:
        voxels = project.voxels(contrast)
        means = [voxels[brain & (labels == label)].mean() for label in (0, 1, 2, 4)]
        noise = voxels[brain & (labels == 0)].std()
        gaps = np.abs(np.subtract.outer(means, means))[np.triu_indices(4, 1)] / noise
        assert gaps.max() > 1.5, contrast
        assert gaps.min() < 2.6, contrast


def test_the_twin_is_small_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        twin.write(tmp_path / name, seed=3)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.nii.gz"))
    assert len(files) == 50
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    assert sum((tmp_path / "a" / file).stat().st_size for file in files) < 2 * 2**20


# memory


def test_a_case_is_unpacked_once_per_unit_and_forgotten(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, opened = project.read(), []
    values = _nifti.values
    monkeypatch.setattr(_nifti, "values", lambda path, size: opened.append(path.name) or values(path, size))
    members = np.arange(3 * DEPTH)
    for unit in raw.units(members):
        for index in unit.tolist():
            raw.sample(index, members)
            raw.mask(index)
    assert len(opened) == len(set(opened)) == 15
    tracemalloc.start()
    for index in members.tolist():
        raw.sample(index, members)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    voxels = int(np.prod(twin.SIZE))
    assert held < (4 * 2 + 1 + 1) * voxels + 200_000  # four contrasts of int16, the labels, of one case
    assert most < held + 8 * voxels  # a file as it is unpacked, beside them


def test_threads_do_not_disturb_each_other(project: Project) -> None:
    raw, members = project.read(), np.arange(3 * DEPTH)
    expected = [raw.sample(index, members)["t1"] for index in members.tolist()]
    seen = set()

    def unit(indices: np.ndarray) -> list[np.ndarray]:
        seen.add(threading.get_ident())
        return [raw.sample(index, members)["t1"] for index in indices.tolist()]

    found = [values for unit in in_order(unit, raw.units(members), 3) for values in unit]
    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


def test_h5_order_of_contrasts_is_that_of_the_authors_code(tmp_path: Path) -> None:
    project = Project(tmp_path, "h5", cases=1)
    assert ORDER == ("flair", "t1ce", "t1", "t2")
    raw = project.read()
    with h5py.File(project.file(), "r") as file:
        image = file["image"][()].astype(np.float64)
    for row, contrast in enumerate(("flair", "t1ce", "t1", "t2")):
        brain = image[row][image[row] > 0]
        expected = np.where(image[row] > 0, (image[row] - brain.mean()) / brain.std(), 0)[:, :, 7]
        np.testing.assert_allclose(raw.sample(7, np.arange(1))[contrast][0], expected, atol=1e-5)
