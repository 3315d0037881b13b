"""BraTS: every fault of a folder and of a case, named with its file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cggm_pipeline.build.data import read_raw
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.brats import BraTS
from cggm_pipeline.data.twins import brats as twin
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

from ._brats import LAYOUTS, PATH, Project, document


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# faults of the folder


def test_a_missing_folder_says_where_the_data_are_published(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_raw(document(), "brats", tmp_path, Problems())
    for told in ("data/raw/brats does not exist", "synapse.org", "CC BY 4.0", "import-url", "docs/data/brats.md"):
        assert told in str(caught.value)


def test_a_folder_without_cases_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / PATH / "docs").mkdir(parents=True)
    with pytest.raises(
        DataError, match=r"no case of BraTS in data/raw/brats; it has docs. Expected is .*CASE_flair.*CASE-t2f"
    ):
        read_raw(document(), "brats", tmp_path, Problems())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"source.path: file is not a folder"):
        read_raw(document(path="file"), "brats", tmp_path, Problems())


def test_a_path_out_of_the_project_is_refused(tmp_path: Path) -> None:
    forms = read_raw(document(), "brats", Project(tmp_path).root, Problems())[1]
    for path in ("/etc", "data/../../x"):
        with pytest.raises(DataError, match="is not a plain path"):
            BraTS(path=path).read(tmp_path, forms, Problems())


@pytest.mark.parametrize("other", LAYOUTS[1:])
def test_mixed_layouts_are_refused_and_listed(project: Project, other: str) -> None:
    twin.write(project.raw / "more", layout=other, cases=1)
    fault = project.fault()
    assert "mixes layouts: names of 2018 to 2021: 3 (BraTS2021_00000, BraTS2021_00001, BraTS2021_00002)" in fault
    assert {"2023": "names of 2023: 1 (more/BraTS-GLI-00000-000)", "h5": "h5 files: 1 (BraTS2021_00000.h5)"}[
        other
    ] in fault


def test_unknown_names_are_refused_and_listed(project: Project) -> None:
    for path in project.raw.rglob("*.nii.gz"):
        path.rename(path.with_name(path.name.replace("BraTS2021_0000", "pat").replace("_", "")))
    assert re.search(r"BraTS2021_00000 has pat0flair.nii.gz, .*which is no case of BraTS. Expected is", project.fault())


def test_cases_in_the_folder_itself_are_refused(project: Project) -> None:
    project.raw = project.raw / project.case()
    assert "data/raw/brats/BraTS2021_00000 itself has" in project.fault(path=f"{PATH}/{project.case()}")


def test_two_cases_of_one_name_are_refused(project: Project) -> None:
    twin.write(project.raw / "more", cases=1)
    assert (
        "case BraTS2021_00000 is there twice: data/raw/brats/BraTS2021_00000 and data/raw/brats/more/BraTS2021_00000"
        in project.fault()
    )


def test_declared_shapes_must_fit(project: Project) -> None:
    assert "BraTS2021_00000: error: its slices have the shape [48, 48], declared are [1, 64, 48]" in project.fault(
        size=(64, 48)
    )
    data = document().model_dump()
    data["modalities"]["t1"]["shape"] = (1, 48, 47)
    with pytest.raises(DataError, match=r"BraTS needs one shape \[1, H, W\] for all four"):
        read_raw(Dataset.model_validate(data), "brats", project.root, Problems())


def test_slices_that_are_not_there_are_an_error(project: Project) -> None:
    wanted = "BraTS2021_00000: error: it has the slices 0 to 15; source.first and last are"
    assert f"{wanted} 0 and 16" in project.fault(last=16)
    assert f"{wanted} 9 and 8" in project.fault(first=9, last=8)


# faults of a case


def test_a_missing_contrast_is_named_with_its_case(project: Project) -> None:
    project.file("t1ce").unlink()
    project.file("seg", 2).unlink()
    fault = project.fault()
    assert "data/raw/brats/BraTS2021_00000: error: BraTS2021_00000_t1ce.nii.gz is missing; the folder has" in fault
    assert "BraTS2021_00002: error: BraTS2021_00002_seg.nii.gz is missing" in fault
    assert "validation cases of BraTS have no segmentation" in fault


def test_files_too_many_or_of_another_case_are_named(project: Project) -> None:
    shutil.copy(project.file("t1"), project.file("t1").with_suffix(""))
    project.file("t2", 1).rename(project.file("t2", 1).with_name("BraTS2021_00009_t2.nii.gz"))
    shutil.copy(project.file("t2", 2), project.file("t2", 2).with_name("BraTS2021_00002_pred.nii.gz"))
    (project.raw / "BraTS2021_00007").mkdir()
    fault = project.fault()
    assert "BraTS2021_00000_t1.nii and BraTS2021_00000_t1.nii.gz are both its t1" in fault
    assert "BraTS2021_00009_t2.nii.gz is not named as its folder; expected is BraTS2021_00001_t2.nii.gz" in fault
    assert "BraTS2021_00002_pred.nii.gz is none of the five files of a case" in fault
    assert "BraTS2021_00007: error: the folder holds no volume" in fault


def test_shapes_and_affines_must_agree(project: Project) -> None:
    project.put(np.ones((48, 48, 15), np.int16), "t2")
    moved = twin.AFFINE.copy()
    moved[0, 3] = 0.5
    project.put(project.voxels("t1", 1), "t1", 1, moved)
    near = twin.AFFINE.copy()
    near[0, 3] = 5e-4
    project.put(project.voxels("t1", 2), "t1", 2, near)
    fault = project.fault()
    assert "BraTS2021_00000_t2.nii.gz has shape [48, 48, 15], BraTS2021_00000_flair.nii.gz has [48, 48, 16]" in fault
    assert "BraTS2021_00001_t1.nii.gz lies elsewhere in space than BraTS2021_00001_flair.nii.gz" in fault
    assert "its affine is [-1 0 0 0.5; 0 -1 0 239; 0 0 1 0], the other's is [-1 0 0 0; 0 -1 0 239; 0 0 1 0]" in fault
    assert "BraTS2021_00002" not in fault


def test_slices_must_be_axial(project: Project) -> None:
    turned = twin.AFFINE[[2, 0, 1, 3]]
    for contrast in twin.OLD:
        project.put(project.voxels(contrast), contrast, affine=turned)
    assert "the third axis of BraTS2021_00000_flair.nii.gz does not run from feet to head" in project.fault()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({5: 7}, "the segmentation holds the labels 7, allowed are 0, 1, 2, 3, 4"),
        ({5: -1, 6: 9}, "the segmentation holds the labels -1, 9, allowed"),
        ({5: 3, 6: 4}, "the segmentation holds both labels 3 and 4"),
    ],
)
def test_labels_of_another_kind_are_refused(project: Project, values: dict[int, int], message: str) -> None:
    labels = project.voxels("seg").copy()
    for place, value in values.items():
        labels[0, 0, place] = value
    project.put(labels, "seg")
    assert f"data/raw/brats/BraTS2021_00000: error: {message}" in project.fault()


def test_labels_that_are_not_whole_are_refused(project: Project) -> None:
    labels = project.voxels("seg").astype(np.float32)
    labels[0, 0, :3] = 0.5, np.nan, 2
    project.put(labels, "seg")
    assert "the segmentation holds the labels 0.5, nan, allowed are" in project.fault()


def test_since_2023_label_4_is_something_else(tmp_path: Path) -> None:
    project = Project(tmp_path, "2023", cases=1)
    project.put(np.where(project.voxels("seg") == 3, 4, 0).astype(np.int16), "seg")
    assert "the segmentation holds the labels 4, allowed are 0, 1, 2, 3" in project.fault()


def test_voxels_that_are_not_finite_or_no_brain_are_an_error_said_once(tmp_path: Path) -> None:
    project = Project(tmp_path, cases=10)
    spoiled = project.voxels("t1").astype(np.float32)
    spoiled[20:22, 20, 3] = np.nan, np.inf
    project.put(spoiled, "t1")
    project.put(np.zeros(twin.SIZE, np.int16), "t2", 1)
    project.put(np.full(twin.SIZE, 7, np.int16), "flair", 2)
    assert project.late_fault().splitlines() == [
        "data/raw/brats/BraTS2021_00000: error: t1: 2 of its voxels are not finite",
        "data/raw/brats/BraTS2021_00001: error: t2: it has no brain: every voxel is 0",
        "data/raw/brats/BraTS2021_00002: error: flair: all voxels of its brain are 7, so it has no contrast",
    ]
