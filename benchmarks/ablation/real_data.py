"""The data of the ablation: arrays in memory, with a split, a pairing and a noise of its own for every seed."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.digits_two_view import DigitsTwoView

Array = NDArray[np.float32]
Views = Mapping[str, Array]
SPLITS = ("train", "valid", "test")
MFEAT = ("fac", "fou", "kar", "mor", "pix", "zer")


@dataclass(frozen=True)
class Data:
    """Per split, the modalities (N, ...) and the classes (N,)."""

    views: Mapping[str, Views]
    targets: Mapping[str, NDArray[np.int64]]


def digits_two_view(folder: Path, seed: int) -> Data:
    """scikit-learn's 1,797 digits, one view rotated, one noisy: 60 / 15 / 25 %. `folder` is not read."""
    raw = DigitsTwoView(seed=seed).read(folder, {}, Problems())
    labels = np.array([int(label) for label in raw.labels])
    views, targets = {}, {}
    for split, members in _split(labels, seed, (1078, 270, 449)).items():
        samples = [raw.sample(int(index), members) for index in members]
        views[split] = {name: np.stack([s[name] for s in samples]).reshape(len(members), -1) for name in samples[0]}
        targets[split] = labels[members]
    return _standardised(Data(views, targets), axis=None)


def mfeat(folder: Path, seed: int) -> Data:
    """Six feature sets of 2,000 handwritten digits (UCI Multiple Features): 400 / 400 / 1,200."""
    tables = {view: _mfeat_view(folder / "mfeat" / f"mfeat-{view}.csv") for view in MFEAT}
    labels = tables["fac"][1]
    members = _split(labels, seed, (400, 400, 1200))
    views = {split: {v: tables[v][0][at] for v in MFEAT} for split, at in members.items()}
    return _standardised(Data(views, {split: labels[at] for split, at in members.items()}), axis=0)


def avdigits(folder: Path, seed: int) -> Data:
    """Spoken (log-mel, 32 x 16) and written digits (28 x 28, Gaussian noise of 0.6): 2,000 / 400 / 600 of 3,000."""
    sounds, images, labels = _avdigits(folder / "avdigits")
    noise = np.random.default_rng([1, seed]).normal(0, 0.6, images.shape).astype(np.float32)
    both = {"audio": sounds[:, None], "image": (images + noise)[:, None]}
    members = _split(labels, seed, (2000, 400, 600))
    views = {split: {name: values[at] for name, values in both.items()} for split, at in members.items()}
    return _standardised(Data(views, {split: labels[at] for split, at in members.items()}), axis=None)


def digit_sums(folder: Path, seed: int) -> Data:
    """Two of scikit-learn's digits, the class is their sum modulo 10: neither view alone says anything about it."""
    images, labels = load_digits(return_X_y=True)
    random = np.random.default_rng([2, seed])
    views, targets = {}, {}
    for split, members in _split(labels, seed, (1078, 270, 449)).items():
        first, second = random.choice(members, (2, {"train": 3000, "valid": 600, "test": 1000}[split]))
        views[split] = {"first": images[first].astype(np.float32), "second": images[second].astype(np.float32)}
        targets[split] = (labels[first] + labels[second]) % 10
    return _standardised(Data(views, targets), axis=None)


def _split(labels: NDArray[np.int64], seed: int, sizes: tuple[int, int, int]) -> dict[str, NDArray[np.int64]]:
    order = np.random.default_rng([0, seed]).permutation(len(labels))
    return dict(zip(SPLITS, np.split(order, np.cumsum(sizes)[:2]), strict=True))


def _standardised(data: Data, axis: int | None) -> Data:
    """Mean 0 and variance 1 on the training split; per column (axis 0), or over all of a view (axis None)."""
    train = data.views["train"]
    moments = {name: (x.mean(axis), x.std(axis) + 1e-6) for name, x in train.items()}

    def scaled(views: Views) -> Views:
        return {name: ((x - moments[name][0]) / moments[name][1]).astype(np.float32) for name, x in views.items()}

    return Data({split: scaled(views) for split, views in data.views.items()}, data.targets)


@cache
def _mfeat_view(path: Path) -> tuple[Array, NDArray[np.int64]]:
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)


@cache
def _avdigits(folder: Path) -> tuple[Array, Array, NDArray[np.int64]]:
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(folder / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    sounds = np.stack([log_mel(*soundfile.read(folder / row["recording"])) for row in rows])
    chosen = images[[int(row["mnist_t10k_index"]) for row in rows]]
    return sounds, (chosen / 255).astype(np.float32), np.array([int(row["label"]) for row in rows])


def log_mel(wave: NDArray[np.float64], rate: int, *, bands: int = 32, frames: int = 16) -> Array:
    """(bands, frames): windows of 256 samples every 80, four by four averaged; 0.64 s at 8 kHz, padded."""
    window, hop = 256, 80
    padded = np.pad(wave, (0, max(0, window + hop * (4 * frames - 1) - len(wave))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][: 4 * frames]
    power = np.abs(np.fft.rfft(pieces * np.hanning(window))) ** 2
    heard = np.log(power @ _mel_filters(window, rate, bands).T + 1e-6)
    return heard.reshape(frames, 4, bands).mean(1).T.astype(np.float32)


@cache
def _mel_filters(window: int, rate: int, bands: int) -> NDArray[np.float64]:
    """(bands, window / 2 + 1) triangles, equally wide in mel = 2595 log10(1 + Hz / 700)."""
    corners = 700 * (10 ** (np.linspace(0, np.log10(1 + rate / 2 / 700), bands + 2)) - 1)
    left, centre, right = (corners[i : i + bands, None] for i in range(3))
    heard = np.fft.rfftfreq(window, 1 / rate)[None]
    return np.maximum(0, np.minimum((heard - left) / (centre - left), (right - heard) / (right - centre)))


DATA: Mapping[str, Callable[[Path, int], Data]] = {
    "digits_two_view": digits_two_view,
    "mfeat": mfeat,
    "avdigits": avdigits,
    "digit_sums": digit_sums,
}
NEEDS: Mapping[str, str | None] = {
    "digits_two_view": None,
    "mfeat": "mfeat",
    "avdigits": "avdigits",
    "digit_sums": None,
}
