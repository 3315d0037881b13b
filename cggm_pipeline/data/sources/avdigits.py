"""Spoken and written digits: the Free Spoken Digit Dataset and MNIST's test images, paired by class."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._files import first_of, inside
from cggm_pipeline.data.sources._idx import read_idx
from cggm_pipeline.data.sources._label_noise import mislabelled
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.errors import DataError

RECORDING = re.compile(r"([0-9])_([a-z]{1,30})_([0-9]{1,4})\.wav")
FOLDERS = ("fsdd/recordings", "recordings")
PAGE = "docs/data/avdigits.md"
RATE = 8000
LONGEST = 60 * RATE
TESTED = 5
"""Recordings 0 to 4 of each speaker and digit are the test split that the publishers of FSDD name."""


@dataclass(frozen=True)
class Pair:
    """A recording (its file name) and the image of the same digit, by its index in MNIST's t10k files."""

    recording: str
    image: int
    digit: int
    split: str


def paired(recordings: Sequence[str], digits: np.ndarray) -> list[Pair]:
    """Each recording with an image of its own: no image is used twice.

    `digits`: (n,) of the images. Per digit their indices in ascending order are shuffled, digit by digit 0..9, by one
    `random.Random(0)`; recordings, sorted by file name, take the last one left of their digit. ValueError where a digit
    has more recordings than images.
    """
    shuffler = random.Random(0)
    left: list[list[int]] = []
    for value in range(10):
        left.append(np.flatnonzero(digits == value).tolist())
        shuffler.shuffle(left[value])
    pairs = []
    for name in sorted(recordings):
        digit, _, number = (part for part in RECORDING.fullmatch(name).groups())  # type: ignore[union-attr]
        if not left[int(digit)]:
            raise ValueError(f"there are fewer images of the digit {digit} than recordings")
        split = "test" if int(number) < TESTED else "train"
        pairs.append(Pair(name, left[int(digit)].pop(), int(digit), split))
    return pairs


class AVDigits(Source):
    """`path`: the folder with fsdd/recordings/ or recordings/, and MNIST's two t10k files in it or in mnist/.

    A recording is DIGIT_SPEAKER_NUMBER.wav, 8 kHz, one channel. `audio`: (T, 1) float32 in [-1, 1]. `image`:
    (1, 28, 28) float32 in [0, 1], plus Gaussian noise of standard deviation `noise`, drawn from (`seed`, the
    recording's name) alone and not clipped. Test are recordings 0 to 4, as FSDD says; validation is cut from the rest
    by `split.valid`. `label_noise`: share of the training labels that are wrong, drawn with `seed`.
    """

    def __init__(
        self, *, path: str = "data/raw/avdigits", noise: float = 0.0, label_noise: float = 0.0, seed: int = 0
    ) -> None:
        self.path = path
        self.noise = noise
        self.label_noise = label_noise
        self.seed = seed

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("audio", "image")

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """Read the images, list the recordings and pair them; sounds are read later."""
        folder = Path(os.path.realpath(raw_path(root, self.path)))
        files: dict[str, Path] = {}
        images, digits = (self._mnist(folder, what, rank, files) for what, rank in (("images", 3), ("labels", 1)))
        if images.shape[1:] != (28, 28) or len(images) != len(digits):
            raise DataError(f"{self.path}: error: t10k images {images.shape} and labels {digits.shape} do not agree")
        place = first_of(folder, self.path, FOLDERS, PAGE)
        recordings = self._recordings(folder, place, files, problems)
        try:
            return _Pairs(self, folder / place, images, paired(recordings, digits), files)
        except ValueError as error:
            raise DataError(f"{self.path}: error: {error}; MNIST's files are those of t10k") from error

    def _mnist(self, folder: Path, what: str, rank: int, files: dict[str, Path]) -> np.ndarray:
        plain = f"t10k-{what}-idx{rank}-ubyte"
        places = [f"{place}{plain}{ending}" for place in ("mnist/", "") for ending in ("", ".gz")]
        name = first_of(folder, self.path, places, PAGE)
        files[f"{self.path}/{name}"] = path = inside(folder, name)
        return read_idx(path, f"{self.path}/{name}", rank)

    def _recordings(self, folder: Path, place: str, files: dict[str, Path], problems: Problems) -> list[str]:
        if not (folder / place).is_dir():
            raise DataError(f"{self.path}/{place}: error: it is no folder; see {PAGE}")
        names = sorted(name for name in os.listdir(folder / place) if name.endswith(".wav"))
        kept = [name for name in names if RECORDING.fullmatch(name)]
        for name in sorted(set(names) - set(kept)):
            problems.add(f"{self.path}/{place}", f"{name!r} is not DIGIT_SPEAKER_NUMBER.wav")
        if not names:
            raise DataError(f"{self.path}/{place}: error: it holds no .wav file; fetch the folder again")
        files |= {f"{self.path}/{place}/{name}": inside(folder, f"{place}/{name}") for name in kept}
        return kept


class _Pairs(Raw):
    def __init__(
        self, source: AVDigits, folder: Path, images: np.ndarray, pairs: Sequence[Pair], files: Mapping[str, Path]
    ) -> None:
        self.source = source
        self.folder = folder
        self.images = images
        self.pairs = pairs
        self.files = files
        self.ids = [pair.recording.removesuffix(".wav") for pair in pairs]
        self.labels = [str(pair.digit) for pair in pairs]
        self.splits = [pair.split for pair in pairs]

    def place(self, index: int) -> str:
        return f"{self.source.path}: {self.pairs[index].recording}"

    def told(self, target: np.ndarray, splits: Sequence[str], classes: int) -> np.ndarray:
        source = self.source
        return mislabelled(target, self.ids, splits, share=source.label_noise, seed=source.seed, classes=classes)

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        pair = self.pairs[index]
        image = self.images[pair.image].astype(np.float32)[None] / 255
        if self.source.noise:
            drawn = np.random.default_rng([self.source.seed, *self.ids[index].encode()])
            image = image + self.source.noise * drawn.standard_normal(image.shape, np.float32)
        return {"audio": _sound(self.folder / pair.recording), "image": image}


def _sound(path: Path) -> np.ndarray:
    """The samples (T, 1) of a recording. ValueError where it is no sound, or not of 8 kHz and one channel."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            if file.samplerate != RATE or file.channels != 1 or not 0 < file.frames <= LONGEST:
                found = f"{file.samplerate} Hz, {file.channels} channel(s), {file.frames:,} samples"
                raise ValueError(f"audio: it has {found}; expected: {RATE} Hz, 1 channel, up to {LONGEST:,} samples")
            sound: np.ndarray = file.read(dtype="float32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"audio: it is not a readable sound file ({error})") from error
    return sound
