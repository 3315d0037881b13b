"""Made-up BraTS cases at their real size: what a brain costs to unpack, to keep and to read, not what it looks like."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
from rich.progress import track
from scipy.ndimage import zoom

from cggm_pipeline.data import threads
from cggm_pipeline.data.twins.brats import AFFINE, OLD, STRENGTH

REAL = (240, 240, 155)


def write(folder: Path, cases: int, size: Sequence[int]) -> None:
    """`cases` folders as in BraTS 2021, int16, on all cores: smooth brains with noise, so that gzip has its usual work.

    About a sixth of the voxels are brain, as in the real data; two slices of five show tumour.
    """
    with ThreadPoolExecutor(threads.number()) as pool:
        done = pool.map(lambda number: _case(folder, number, size), range(cases))
        for _ in track(done, description=f"  writing {cases} cases of {' x '.join(map(str, size))}", total=cases):
            pass


def _case(folder: Path, number: int, size: Sequence[int]) -> None:
    random = np.random.default_rng([0, number])
    name = f"BraTS2021_{number:05d}"
    (folder / name).mkdir(parents=True)
    brain = _ball(size, (0.5, 0.5, 0.5), (0.29, 0.36, 0.42))
    centre = 0.5 + random.uniform(-0.1, 0.1, 3)
    classes = np.zeros(size, np.int16)
    for label, share in ((2, 1.0), (4, 0.65), (1, 0.4)):
        classes[_ball(size, centre, share * np.array([0.13, 0.13, 0.21])) & brain] = label
    _save(folder / name / f"{name}{OLD['seg']}.nii.gz", classes)
    for contrast, strength in STRENGTH.items():
        bright = np.array([0.0, strength[0], strength[1], 0.0, strength[2]], np.float32)[classes]
        bright += _smooth(random, size) + random.normal(0, 0.05, size).astype(np.float32)
        values = np.where(brain, np.maximum(600 * (1 + bright), 1), 0).astype(np.int16)
        _save(folder / name / f"{name}{OLD[contrast]}.nii.gz", values)


def _ball(size: Sequence[int], centre: Sequence[float] | np.ndarray, radii: Sequence[float] | np.ndarray) -> np.ndarray:
    axes = np.ogrid[tuple(slice(0, 1, complex(0, length)) for length in size)]
    inside: np.ndarray = sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)) < 1
    return inside


def _smooth(random: np.random.Generator, size: Sequence[int]) -> np.ndarray:
    coarse = random.normal(0, 0.15, [12, 12, 8]).astype(np.float32)
    smooth: np.ndarray = zoom(coarse, [length / c for length, c in zip(size, coarse.shape, strict=True)], order=1)
    return smooth


def _save(path: Path, values: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)
