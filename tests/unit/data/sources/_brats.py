"""A project with the made-up cases of BraTS, which a test spoils."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import yaml

from cggm_pipeline.build.data import prepare, read_raw
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.twins import brats as twin
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec.dataset import Dataset

SPECS = Path(__file__).parents[4] / "specs" / "datasets"
LAYOUTS = ("2021", "2023", "h5")
NAMES = {"2021": "BraTS2021_{:05d}", "2023": "BraTS-GLI-{:05d}-000", "h5": "BraTS2021_{:05d}"}
PATH = "data/raw/brats"
DEPTH = twin.SIZE[2]


def document(size: tuple[int, int] = twin.SIZE[:2], **source: Any) -> Dataset:
    """The committed document, with the twin's shapes."""
    data = yaml.safe_load((SPECS / "brats.yaml").read_text())
    data["source"] |= source
    data["target"]["shape"] = size
    for modality in data["modalities"].values():
        modality["shape"] = [1, *size]
    return Dataset.model_validate(data)


class Project:
    """A project with the twin's files, which a test spoils."""

    def __init__(self, root: Path, layout: str = "2021", cases: int = 3) -> None:
        self.root = root
        self.raw = root / PATH
        self.layout = layout
        twin.write(self.raw, layout=layout, cases=cases)

    def case(self, number: int = 0) -> str:
        return NAMES[self.layout].format(number)

    def file(self, contrast: str = "flair", number: int = 0) -> Path:
        if self.layout == "h5":
            return self.raw / f"{self.case(number)}.h5"
        endings = twin.OLD if self.layout == "2021" else twin.NEW
        return self.raw / self.case(number) / f"{self.case(number)}{endings[contrast]}.nii.gz"

    def voxels(self, contrast: str = "flair", number: int = 0) -> np.ndarray:
        return np.asanyarray(nibabel.load(self.file(contrast, number)).dataobj)

    def put(self, values: np.ndarray, contrast: str = "flair", number: int = 0, affine: Any = twin.AFFINE) -> None:
        nibabel.save(nibabel.Nifti1Image(values, affine), self.file(contrast, number))

    def header(self, contrast: str = "flair", **fields: Any) -> None:
        """Other values in the header of a file, whatever they do to it."""
        data = bytearray(gzip.decompress(self.file(contrast).read_bytes()))
        header = nibabel.Nifti1Header(bytes(data[:348]), check=False)
        for name, value in fields.items():
            header[name] = value
        data[:348] = header.binaryblock
        self.file(contrast).write_bytes(gzip.compress(bytes(data)))

    def read(self, **source: Any) -> Raw:
        return read_raw(document(**source), "brats", self.root, Problems())[0]

    def fault(self, **source: Any) -> str:
        """What indexing the raw data says is wrong."""
        with pytest.raises(DataError) as caught:
            self.read(**source)
        return str(caught.value)

    def late_fault(self) -> str:
        """What preparing says is wrong, where indexing could not know."""
        self.read()
        with pytest.raises(DataError) as caught:
            prepare(document(), "brats", self.root)
        assert not (self.root / "data" / "prepared" / "brats").exists()
        return str(caught.value)
