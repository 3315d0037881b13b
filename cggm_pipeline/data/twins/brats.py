"""Made-up cases in the layouts of BraTS: noisy ellipsoids for brains, with tumours that each contrast shows in part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

CASES = 10
SIZE = (48, 48, 16)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 239], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
"""As BraTS 2021 has it: one millimetre a voxel, left to right and back to front turned round."""
STRENGTH: Mapping[str, tuple[float, float, float]] = {
    "flair": (0.2, 0.8, 0.5),
    "t1": (-0.25, -0.1, 0.0),
    "t1ce": (-0.4, 0.0, 0.9),
    "t2": (0.5, 0.5, 0.25),
}
"""How much brighter than the brain necrosis, edema and enhancing tumour are: no contrast tells all three apart."""
OLD = {"flair": "_flair", "t1": "_t1", "t1ce": "_t1ce", "t2": "_t2", "seg": "_seg"}
NEW = {"flair": "-t2f", "t1": "-t1n", "t1ce": "-t1c", "t2": "-t2w", "seg": "-seg"}


def write(folder: Path, *, seed: int = 0, layout: str = "2021", cases: int = CASES) -> None:
    """Write `cases` volumes of 48 x 48 x 16 voxels, int16, four contrasts and a segmentation each.

    `layout`: "2021" (folders BraTS2021_00000, labels 0, 1, 2, 4), "2023" (BraTS-GLI-00000-000, labels 0 to 3), or "h5"
    (a file per case; labels 0, 1, 2, 4). The same seed gives the same voxels in every layout, and the same bytes.
    """
    for number in range(cases):
        LAYOUTS[layout](folder, number, *_case(np.random.default_rng([seed, number])))


def _case(random: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Contrasts (H, W, S) int16, 0 outside of the brain, and classes 0 to 3, (H, W, S) uint8."""
    grid = np.stack(np.meshgrid(*(np.arange(length) for length in SIZE), indexing="ij")).astype(np.float64)
    brain = _ellipsoid(grid, np.array([23.5, 23.5, 7.5]), np.array([20.0, 17.0, 7.4]))
    centre = np.array([23.5, 23.5, 7.5]) + random.uniform(-1, 1, 3) * [9, 7, 2.5]
    radius = random.uniform(6.5, 8.5) * np.array([1, 1, 0.5])
    classes = np.zeros(SIZE, np.uint8)
    for label, share in ((2, 1.0), (3, 0.7), (1, 0.4)):
        classes[_ellipsoid(grid, centre, share * radius) & brain] = label
    scans = {}
    for name, strength in STRENGTH.items():
        bright = np.array([0.0, *strength])[classes] + random.normal(0, 0.12, SIZE)
        level = random.uniform(300, 900)  # a scanner's units are its own
        scans[name] = np.where(brain, np.maximum(level * (1 + bright), 1), 0).astype(np.int16)
    return scans, classes


def _ellipsoid(grid: np.ndarray, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    inside: np.ndarray = (((grid.T - centre) / radii) ** 2).sum(-1).T < 1
    return inside


def _nifti(path: Path, values: np.ndarray) -> None:
    """A gzip file without a time in it, so that the same voxels are the same bytes."""
    import gzip

    import nibabel

    image: Any = nibabel.Nifti1Image(values, AFFINE)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def _folder(folder: Path, case: str, endings: Mapping[str, str], volumes: Mapping[str, np.ndarray]) -> None:
    for name, values in volumes.items():
        _nifti(folder / case / f"{case}{endings[name]}.nii.gz", values)


def _before_2023(classes: np.ndarray) -> np.ndarray:
    return np.where(classes == 3, 4, classes).astype(np.int16)


def _2021(folder: Path, number: int, scans: Mapping[str, np.ndarray], classes: np.ndarray) -> None:
    _folder(folder, f"BraTS2021_{number:05d}", OLD, {**scans, "seg": _before_2023(classes)})


def _2023(folder: Path, number: int, scans: Mapping[str, np.ndarray], classes: np.ndarray) -> None:
    _folder(folder, f"BraTS-GLI-{number:05d}-000", NEW, {**scans, "seg": classes.astype(np.int16)})


def _h5(folder: Path, number: int, scans: Mapping[str, np.ndarray], classes: np.ndarray) -> None:
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"BraTS2021_{number:05d}.h5", "w") as file:
        image = np.stack([scans[name] for name in ("flair", "t1ce", "t1", "t2")])
        file.create_dataset("image", data=image, compression="gzip", track_times=False)
        file.create_dataset("label", data=_before_2023(classes), compression="gzip", track_times=False)


LAYOUTS: Mapping[str, Callable[[Path, int, Mapping[str, np.ndarray], np.ndarray], None]] = {
    "2021": _2021,
    "2023": _2023,
    "h5": _h5,
}
