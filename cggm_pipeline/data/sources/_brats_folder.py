"""Which cases of BraTS lie in a folder, and in which of the published layouts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cggm_pipeline.data.cells import below
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._brats_case import Case
from cggm_pipeline.data.sources._brats_h5 import H5Case
from cggm_pipeline.data.sources._brats_nifti import NEW, OLD, NiftiCase, names_of
from cggm_pipeline.errors import DataError

EXPECTED = (
    f"Expected is a folder per case with CASE_flair, CASE_t1, CASE_t1ce, CASE_t2 and CASE_seg ({OLD.title}), or "
    f"CASE-t2f, CASE-t1n, CASE-t1c, CASE-t2w and CASE-seg ({NEW.title}), each .nii.gz or .nii; or CASE.h5 with image "
    "and label. One folder may lie between"
)
H5 = "h5 files"
IGNORED = ("__MACOSX",)
"""What a Mac packs along; and every name that begins with a dot."""


@dataclass(frozen=True)
class _Place:
    """A folder that may be a case: its path below the folder of the data, and the files in it that may be volumes."""

    below: str
    nifti: list[str]
    h5: list[str]
    leaf: bool


def find(folder: Path, shown: str, problems: Problems) -> list[Case]:
    """The cases below `folder`, sorted by name; `shown` is its name in the project.

    What is wrong with one case goes to `problems`. DataError where no case is found, layouts are mixed, a file leads
    out of the folder, or two cases have one name.
    """
    if not folder.is_dir():
        raise DataError(f"source.path: {shown} is not a folder. {EXPECTED}; see docs/data/brats.md")
    places = list(_places(Path(os.path.realpath(folder)), ""))
    _check_layout(places, shown)
    cases: list[Case] = []
    for place in places:
        cases += _cases(folder, shown, place, problems)
    _check_unique(cases)
    return sorted(cases, key=lambda case: case.name)


def _places(folder: Path, under: str, depth: int = 0) -> Iterator[_Place]:
    """The folder itself and what lies in it, two levels deep."""
    try:
        entries = sorted(os.scandir(folder / under), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"source.path: folder {under or folder.name} cannot be read ({error.strerror})") from error
    entries = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in IGNORED]
    files = [entry.name for entry in entries if not entry.is_dir()]
    folders = [entry.name for entry in entries if entry.is_dir()]
    yield _Place(
        under,
        [name for name in files if name.endswith((".nii", ".nii.gz"))],
        [name for name in files if name.endswith(".h5")],
        not folders,
    )
    for name in folders:
        if depth < 2:
            yield from _places(folder, f"{under}/{name}" if under else name, depth + 1)


def _check_layout(places: list[_Place], shown: str) -> None:
    """DataError unless all cases are of one layout, and of a known one."""
    found: dict[str, list[str]] = {}
    for place in places:
        names = names_of(place.nifti)
        if place.nifti and (names is None or not place.below):
            where = f"{shown}/{place.below}" if place.below else f"{shown} itself"
            raise DataError(f"source.path: {where} has {_some(place.nifti)}, which is no case of BraTS. {EXPECTED}")
        if names:
            found.setdefault(names.title, []).append(place.below)
        if place.h5:
            found.setdefault(H5, []).extend(place.h5)
    if not found:
        what = _some([place.below for place in places if place.below]) or "nothing"
        raise DataError(f"source.path: no case of BraTS in {shown}; it has {what}. {EXPECTED}")
    if len(found) > 1:
        kinds = "; ".join(f"{title}: {len(names):,} ({_some(names)})" for title, names in found.items())
        raise DataError(f"source.path: {shown} mixes layouts: {kinds}. Keep one of them. {EXPECTED}")


def _cases(folder: Path, shown: str, place: _Place, problems: Problems) -> Iterator[Case]:
    """The cases of one folder: one of NIfTI files, or one for each h5 file."""
    where = f"{shown}/{place.below}" if place.below else shown
    try:
        for name in [*place.nifti, *place.h5]:
            file = below(Path(os.path.realpath(folder)), f"{place.below}/{name}" if place.below else name, shown)
            if not os.path.isfile(file):
                raise ValueError(f"{name} is not a file")
        names = names_of(place.nifti)
        if names:
            yield NiftiCase(folder / place.below, where, names, place.nifti)
        elif not place.h5 and place.leaf and place.below:
            raise ValueError("the folder holds no volume; unpack its archive again, or delete it")
    except ValueError as error:
        problems.add(where, str(error))
        return
    for name in place.h5:
        yield H5Case(folder / place.below / name, f"{where}/{name}")


def _check_unique(cases: list[Case]) -> None:
    places: dict[str, str] = {}
    for case in cases:
        if case.name in places:
            raise DataError(f"source.path: case {case.name} is there twice: {places[case.name]} and {case.place}")
        places[case.name] = case.place


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
