"""The handwritten digits that scikit-learn ships, as two views of one digit (protocol of Wang et al., ICML 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw, Source, Value
from cggm_pipeline.errors import DataError


class DigitsTwoView(Source):
    """1,797 digits of 8 x 8 pixels (UCI optical digits, Alpaydin & Kaynak 1998) in two views, (1, 8, 8) float32 each.

    `rotated`: the image, turned by an angle uniform in +-`rotation` degrees (bilinear, zeros outside). `noisy`: another
    image of the same digit and the same split, plus noise uniform in [0, `noise`] per pixel, clipped to [0, 1].
    Wang et al., "On deep multi-view representation learning", section 4.1: 45 degrees, noise in [0, 1].
    What is drawn for a sample depends on (`seed`, the sample, its split) alone.
    """

    def __init__(self, *, noise: float = 1.0, rotation: float = 45.0, seed: int = 0) -> None:
        self.noise = noise
        self.rotation = rotation
        self.seed = seed

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("rotated", "noisy")

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Load the digits from scikit-learn; nothing is read below `root`."""
        import sklearn.datasets

        digits = sklearn.datasets.load_digits()
        file = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
        if digits.images.shape != (1797, 8, 8) or not file.is_file():
            raise DataError(f"scikit-learn's digits are {digits.images.shape} in {file.name}, expected (1797, 8, 8)")
        return _Digits(self, (digits.images / 16).astype(np.float32), digits.target, file)


class _Digits(Raw):
    def __init__(self, source: DigitsTwoView, images: np.ndarray, digit: np.ndarray, file: Path) -> None:
        self.source = source
        self.images = images
        self.digit = digit
        self.ids = [f"{index:04d}" for index in range(len(images))]
        self.labels = [str(label) for label in digit]
        self.files = {"scikit-learn/datasets/data/digits.csv.gz": file}

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        from scipy.ndimage import rotate

        random = np.random.default_rng([self.source.seed, index])
        angle = random.uniform(-self.source.rotation, self.source.rotation)
        rotated = rotate(self.images[index], angle, reshape=False, order=1, mode="constant", cval=0.0)
        others = members[(self.digit[members] == self.digit[index]) & (members != index)]
        if not len(others):
            raise ValueError("it is alone with its digit in its split, and a pair needs another image")
        noise = random.uniform(0, self.source.noise, self.images[index].shape)
        noisy = np.clip(self.images[random.choice(np.sort(others))] + noise, 0, 1)
        return {"rotated": rotated[None].astype(np.float32), "noisy": noisy[None].astype(np.float32)}
