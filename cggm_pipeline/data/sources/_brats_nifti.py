"""Cases of BraTS as folders of NIfTI files, with the names of 2018 to 2021 or those of 2023."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cggm_pipeline.data.sources import _nifti
from cggm_pipeline.data.sources._brats_case import Case, Size

TOLERANCE = 1e-3
"""Between the affines of one case, in millimetres."""


@dataclass(frozen=True)
class Names:
    """How the files of a case are called: FOLDER + `mark` + an ending of `endings` + .nii or .nii.gz."""

    title: str
    mark: str
    endings: Mapping[str, str]
    labels: Sequence[int]

    def find(self, names: Sequence[str]) -> dict[str, list[str]]:
        """For flair, t1, t1ce, t2 and seg: the file names that are it."""
        pattern = {key: re.compile(re.escape(self.mark + end) + r"\.nii(\.gz)?$") for key, end in self.endings.items()}
        return {key: [name for name in names if ending.search(name)] for key, ending in pattern.items()}

    def file(self, folder: str, key: str) -> str:
        """How a file of the case in this folder is called."""
        return f"{folder}{self.mark}{self.endings[key]}.nii.gz"


OLD = Names(
    "names of 2018 to 2021",
    "_",
    {"flair": "flair", "t1": "t1", "t1ce": "t1ce", "t2": "t2", "seg": "seg"},
    (0, 1, 2, 3, 4),
)
NEW = Names("names of 2023", "-", {"flair": "t2f", "t1": "t1n", "t1ce": "t1c", "t2": "t2w", "seg": "seg"}, (0, 1, 2, 3))


def names_of(files: Sequence[str]) -> Names | None:
    """The naming that most of the NIfTI files of a folder follow; null where none does."""
    counts = {names.title: sum(map(len, names.find(files).values())) for names in (OLD, NEW)}
    best = max((OLD, NEW), key=lambda names: counts[names.title])
    return best if counts[best.title] else None


class NiftiCase(Case):
    """A folder with five NIfTI files. ValueError where one is missing, is there twice, or belongs to another case."""

    def __init__(self, folder: Path, place: str, names: Names, files: Sequence[str]) -> None:
        self.name = folder.name
        self.place = place
        self.labels = names.labels
        self._paths = {key: folder / file for key, file in _assigned(folder.name, names, files).items()}
        self.files = {f"{place}/{path.name}": path for path in self._paths.values()}

    def size(self) -> Size:
        headers = {key: _nifti.header(path) for key, path in self._paths.items()}
        sizes = {key: _nifti.size(header, self._paths[key]) for key, header in headers.items()}
        first = sizes["flair"]
        for key, size in sizes.items():
            if size != first:
                raise ValueError(
                    f"{self._paths[key].name} has shape {list(size)}, {self._paths['flair'].name} has {list(first)}"
                )
        self._check_affines(headers)
        return first

    def contrast(self, name: str, size: Size) -> np.ndarray:
        return _nifti.values(self._paths[name], size)

    def segmentation(self, size: Size) -> np.ndarray:
        return self.contrast("seg", size)

    def _check_affines(self, headers: Mapping[str, _nifti.Header]) -> None:
        from nibabel.orientations import aff2axcodes

        affines = {key: _nifti.affine(header, self._paths[key]) for key, header in headers.items()}
        reference = affines["flair"]
        if aff2axcodes(reference)[2] not in ("S", "I"):  # type: ignore[no-untyped-call]
            raise ValueError(
                f"the third axis of {self._paths['flair'].name} does not run from feet to head, so its slices are "
                f"not axial (affine {_shown(reference)})"
            )
        for key, affine in affines.items():
            if not np.allclose(affine, reference, rtol=0, atol=TOLERANCE):
                raise ValueError(
                    f"{self._paths[key].name} lies elsewhere in space than {self._paths['flair'].name}: its affine is "
                    f"{_shown(affine)}, the other's is {_shown(reference)}"
                )


def _assigned(folder: str, names: Names, files: Sequence[str]) -> dict[str, str]:
    found = names.find(files)
    missing = [names.file(folder, key) for key, hits in found.items() if not hits]
    if missing:
        hint = ". The validation cases of BraTS have no segmentation: take them out" if not found["seg"] else ""
        raise ValueError(f"{', '.join(missing)} is missing; the folder has {', '.join(files)}{hint}")
    for key, hits in found.items():
        if len(hits) > 1:
            raise ValueError(f"{' and '.join(hits)} are both its {key}; keep one of them")
    known = {key: hits[0] for key, hits in found.items()}
    for key, file in known.items():
        if names.file(folder, key).removesuffix(".gz") != file.removesuffix(".gz"):
            raise ValueError(f"{file} is not named as its folder; expected is {names.file(folder, key)}")
    others = sorted(set(files) - set(known.values()))
    if others:
        raise ValueError(f"{', '.join(others)} is none of the five files of a case ({names.title}); take it out")
    return known


def _shown(affine: np.ndarray) -> str:
    return "[" + "; ".join(" ".join(f"{value:g}" for value in row) for row in affine[:3]) + "]"
