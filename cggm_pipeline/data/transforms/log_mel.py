"""Sound to log-mel frames."""

from __future__ import annotations

import numpy as np

from cggm_pipeline.data.transforms.base import FrontEnd
from cggm_pipeline.errors import DataError

FLOOR = 1e-10
"""Least energy of a band, so that silence has a logarithm."""


class LogMel(FrontEnd):
    """A sound (T) or (T, channels), whose mean is taken, to (frames, `mels`) float32: log energies of mel bands.

    Frames of `window` seconds, every `hop` seconds, a last incomplete one left out (a sound shorter than a frame is
    padded with zeros); periodic Hann window, power spectrum of the next power of two, triangular filters of peak 1
    between `low` and `high` Hz (null: half of `rate`), equally wide in mel = 2595 log10(1 + f / 700), as HTK has it
    (Young et al., "The HTK Book"); natural logarithm of at least 1e-10. Integers are read as fractions of their range.
    `frames`: so many of each sound, the rest cut off and what is missing silence; null: as many as it has.
    """

    def __init__(
        self,
        *,
        rate: int = 16_000,
        mels: int = 64,
        window: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        frames: int | None = None,
    ) -> None:
        top = rate / 2 if high is None else high
        if not low < top <= rate / 2:
            raise DataError(f"log_mel: bands from {low:g} to {top:g} Hz; allowed: low < high <= {rate / 2:g}, rate / 2")
        self.number = frames
        self.length, self.hop = round(window * rate), round(hop * rate)
        if min(self.length, self.hop) < 1:
            raise DataError(f"log_mel: window {window:g} s and hop {hop:g} s hold no sample at {rate} Hz")
        self.size = 1 << (self.length - 1).bit_length()
        self.filters = filters(mels, self.size, rate, low, top)
        self.hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.length) / self.length)

    @property
    def stacks(self) -> bool:  # type: ignore[override]
        return self.number is not None

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        frames = self.frames(sample)[: self.number]
        power = np.abs(np.fft.rfft(frames * self.hann, self.size)) ** 2
        logarithms: np.ndarray = np.log(np.maximum(power @ self.filters, FLOOR)).astype(np.float32)
        missing = 0 if self.number is None else self.number - len(logarithms)
        return np.pad(logarithms, ((0, missing), (0, 0)), constant_values=np.log(FLOOR)) if missing else logarithms

    def frames(self, sample: np.ndarray) -> np.ndarray:
        """The sound cut into frames that overlap, (frames, samples per frame) float64: views."""
        sound = sample.astype(np.float64)
        if sample.dtype.kind in "iu":
            sound = sound / (np.iinfo(sample.dtype).max + 1.0)
        sound = sound.mean(1) if sound.ndim == 2 else sound
        sound = np.pad(sound, (0, max(self.length - len(sound), 0)))
        return np.lib.stride_tricks.sliding_window_view(sound, self.length)[:: self.hop]


def filters(mels: int, size: int, rate: int, low: float, high: float) -> np.ndarray:
    """Weights of the bins of a spectrum of `size` samples in each band, (size / 2 + 1, mels).

    DataError where a band is so narrow that it holds no bin.
    """
    edges = 700 * (10 ** (np.linspace(mel(low), mel(high), mels + 2) / 2595) - 1)
    bins = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    weights = np.maximum(np.minimum(rising, falling), 0)
    empty = np.flatnonzero(~weights.any(0))
    if len(empty):
        raise DataError(
            f"log_mel: band {empty[0]} of {mels} lies between two bins of the spectrum ({rate / size:g} Hz apart); "
            "take fewer mels, a longer window, or a higher low"
        )
    return weights


def mel(frequency: float) -> float:
    """Hz to mel."""
    return 2595 * float(np.log10(1 + frequency / 700))
