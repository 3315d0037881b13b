"""BraTS: damaged files, and files made to do harm."""

from __future__ import annotations

import gzip
import os
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ._brats import LAYOUTS, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(params=LAYOUTS)
def any_layout(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(tmp_path, request.param, cases=2)


def test_a_link_out_of_the_folder_is_refused(any_layout: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    any_layout.file("t1").rename(outside)
    any_layout.file("t1").symlink_to(outside)
    assert "leads out of data/raw/brats through a link" in any_layout.fault()


def test_a_folder_that_is_linked_in_is_refused(project: Project, tmp_path: Path) -> None:
    shutil.move(project.raw / project.case(1), tmp_path / "elsewhere")
    (project.raw / project.case(1)).symlink_to(tmp_path / "elsewhere")
    assert "leads out of data/raw/brats through a link" in project.fault()


def test_a_pipe_is_not_read(project: Project) -> None:
    project.file("t1").unlink()
    os.mkfifo(project.file("t1"))
    assert "BraTS2021_00000_t1.nii.gz is not a file" in project.fault()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "has shape [30000, 30000, 30000], not three axes of 1 to 1024"),
        ({"dim": [3, -48, 48, 16, 1, 1, 1, 1]}, "has shape [-48, 48, 16], not three axes"),
        ({"dim": [5, 48, 48, 16, 2, 2, 1, 1]}, "has shape [48, 48, 16, 2, 2], not three axes"),
        ({"sizeof_hdr": 540}, "is not a NIfTI"),
        ({"magic": b"ni1"}, "is not a NIfTI-1 file that holds its own voxels"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "has an affine that is not finite"),
    ],
)
def test_absurd_headers_are_refused_before_anything_is_unpacked(
    project: Project, fields: dict[str, Any], message: str
) -> None:
    project.header(**fields)
    fault = project.fault()
    assert f"BraTS2021_00000_flair.nii.gz {message}" in fault or (message in fault and "sizeof_hdr" in fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"datatype": 128, "bitpix": 24}, "has voxels of type"),
        ({"datatype": 9999}, "has an unknown type of voxels, code 9999"),
        ({"vox_offset": 1e30}, "says that its voxels begin at byte 1e+30"),
        ({"vox_offset": np.nan}, "says that its voxels begin at byte nan"),
        ({"vox_offset": 20}, "says that its voxels begin at byte 20"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "cannot be read"),
        ({"datatype": 16, "bitpix": 32}, "is damaged: its header announces 147,808 bytes, it holds only 74,080"),
        ({"datatype": 2, "bitpix": 8}, "is damaged: its header announces 37,216 bytes, it holds more"),
    ],
)
def test_headers_that_do_not_fit_their_voxels_are_refused(
    project: Project, fields: dict[str, Any], message: str
) -> None:
    project.header("seg", **fields)
    assert f"BraTS2021_00000_seg.nii.gz {message}" in project.fault()


def test_a_bomb_is_not_unpacked(project: Project) -> None:
    data = gzip.decompress(project.file("seg").read_bytes())
    project.file("seg").write_bytes(gzip.compress(data + bytes(2**26)))
    tracemalloc.start()
    fault = project.fault()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "its header announces 74,080 bytes, it holds more" in fault
    assert most < 2**23


@pytest.mark.parametrize("packed", [True, False])
def test_files_that_were_cut_off_or_are_something_else_are_named(project: Project, packed: bool) -> None:
    sound = project.file("seg").read_bytes()
    project.file("seg").write_bytes(sound[: len(sound) // 2])
    wrong = bytearray(project.file("seg", 1).read_bytes())
    wrong[-8] ^= 1  # of the checksum
    project.file("seg", 1).write_bytes(bytes(wrong))
    project.file("flair", 2).write_bytes(b"<html>please log in</html>" if packed else gzip.compress(b"short"))
    fault = project.fault()
    assert "BraTS2021_00000_seg.nii.gz ends too early" in fault
    assert "BraTS2021_00001_seg.nii.gz is not a sound gzip file" in fault
    assert f"BraTS2021_00002_flair.nii.gz is not a {'sound gzip' if packed else 'NIfTI'} file" in fault


def test_h5_faults_are_named(tmp_path: Path) -> None:
    project = Project(tmp_path, "h5", cases=5)
    with h5py.File(project.file(number=0), "r+") as file:
        del file["label"]
    with h5py.File(project.file(number=1), "r+") as file:
        values = file["image"][:3]
        del file["image"]
        file["image"] = values
    with h5py.File(project.file(number=2), "r+") as file:
        del file["image"]
        file["image"] = h5py.ExternalLink(str(project.file(number=3)), "image")
    project.file(number=4).write_bytes(b"not h5")
    lines = project.fault().splitlines()
    assert len(lines) == 4
    assert "BraTS2021_00000.h5: error: it has no dataset 'label'" in lines[0]
    assert "BraTS2021_00001.h5: error: 'image' has shape [3, 48, 48, 16], expected [4, 48, 48, 16]" in lines[1]
    assert "BraTS2021_00002.h5: error: 'image' is a link (ExternalLink)" in lines[2]
    assert "BraTS2021_00004.h5 is not a readable h5 file" in lines[3]


def test_h5_pieces_larger_than_the_whole_are_refused(tmp_path: Path) -> None:
    """A piece is unpacked as a whole: a small file of zeros can ask for gigabytes."""
    project = Project(tmp_path, "h5", cases=1)
    with h5py.File(project.file(), "r+") as file:
        values = file["label"][()]
        del file["label"]
        file.create_dataset("label", data=values, chunks=(1024, 1024, 64), maxshape=(None,) * 3, compression="gzip")
    assert "'label' is stored in pieces larger than itself; refused" in project.fault()
