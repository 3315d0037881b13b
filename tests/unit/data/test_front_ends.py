"""Front ends: log-mel frames against a plain restatement, and batches of what they give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cggm_pipeline.data.batches import Resident, Streamed, order
from cggm_pipeline.data.manifest import Form, Statistics
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.transforms.base import FrontEnd
from cggm_pipeline.data.transforms.log_mel import LogMel, filters, mel
from cggm_pipeline.data.transforms.normalise import Normalise
from cggm_pipeline.data.transforms.resize import Resize
from cggm_pipeline.data.transforms.scale import Scale
from cggm_pipeline.errors import DataError

RATE = 16_000


def sine(frequency: float, seconds: float = 0.2, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def centres(mels: int, low: float, high: float) -> list[float]:
    """Middle frequency of each band, from HTK's formula backwards."""
    step = (mel(high) - mel(low)) / (mels + 1)
    return [700 * (10 ** ((mel(low) + step * (band + 1)) / 2595) - 1) for band in range(mels)]


def test_mel_is_htks() -> None:
    assert mel(0) == 0
    assert mel(700) == pytest.approx(2595 * math.log10(2))
    assert mel(1000) == pytest.approx(1000, abs=0.1)


@pytest.mark.parametrize("band", [5, 20, 40, 60])
def test_a_sine_at_the_middle_of_a_band_is_loudest_there(band: int) -> None:
    frames = LogMel()(sine(centres(64, 20, RATE / 2)[band]))
    assert set(frames.argmax(1).tolist()) == {band}


def test_frames_are_those_of_a_plain_restatement() -> None:
    sound = np.random.default_rng(0).normal(size=700).astype(np.float32)
    step = LogMel(rate=8000, mels=10, window=0.020, hop=0.0075, low=100, high=3500)
    length, hop, size = 160, 60, 256
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / length) for n in range(length)]
    edges = [700 * (10 ** (m / 2595) - 1) for m in np.linspace(mel(100), mel(3500), 12)]
    expected = []
    for start in range(0, len(sound) - length + 1, hop):
        frame = [float(sound[start + n]) * hann[n] for n in range(length)] + [0.0] * (size - length)
        angles = -2j * np.pi * np.arange(size) / size
        power = [abs(np.dot(frame, np.exp(angles * k))) ** 2 for k in range(size // 2 + 1)]
        bands = []
        for below, middle, above in zip(edges, edges[1:], edges[2:], strict=False):
            energy = 0.0
            for k, value in enumerate(power):
                f = k * 8000 / size
                weight = (f - below) / (middle - below) if f <= middle else (above - f) / (above - middle)
                energy += max(weight, 0) * value
            bands.append(math.log(max(energy, 1e-10)))
        expected.append(bands)
    found = step(sound)
    assert found.dtype == np.float32
    assert found.shape == (10, 10)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bands_hold_the_energy_that_parseval_says() -> None:
    """Filters that overlap by halves add up to one, so bands hold all energy between the first and the last middle."""
    weights = filters(30, 1024, RATE, 20, RATE / 2)
    frequency = np.arange(513) * RATE / 1024
    middles = centres(30, 20, RATE / 2)
    inside = (frequency >= middles[0]) & (frequency <= middles[-1])
    np.testing.assert_allclose(weights.sum(1)[inside], 1)
    step = LogMel(mels=30, window=0.064, hop=0.064)
    sound = sine(1000, 0.064)
    energy = 512 * ((sound * step.hann) ** 2).sum()  # one-sided: half of N times the sum of squares
    assert np.exp(step(sound).astype(np.float64)).sum() == pytest.approx(energy, rel=1e-3)


def test_twice_as_loud_is_log_4_more_and_channels_are_averaged() -> None:
    step, sound = LogMel(mels=20), np.random.default_rng(1).normal(size=4000).astype(np.float32)
    np.testing.assert_allclose(step(2 * sound) - step(sound), math.log(4), rtol=1e-4)
    np.testing.assert_allclose(step(np.stack([sound, 3 * sound], 1)), step(2 * sound), rtol=1e-5)
    loud = (sound * 2000).astype(np.int16)
    np.testing.assert_allclose(step(loud), step(loud.astype(np.float32) / 32768), rtol=1e-6)


def test_silence_and_sounds_shorter_than_a_frame_have_finite_frames() -> None:
    assert LogMel()(np.zeros(1000, np.float32)).tolist() == pytest.approx(np.full((4, 64), math.log(1e-10)))
    assert LogMel()(np.ones(1, np.float32)).shape == (1, 64)
    assert LogMel()(np.ones(400, np.float32)).shape == (1, 64)
    assert LogMel()(np.ones(560, np.float32)).shape == (2, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high": 9000.0}, r"bands from 20 to 9000 Hz; allowed: low < high <= 8000"),
        ({"low": 500.0, "high": 500.0}, "bands from 500 to 500 Hz"),
        ({"hop": 1e-5}, "hold no sample at 16000 Hz"),
        ({"mels": 400}, r"band 0 of 400 lies between two bins of the spectrum \(31\.25 Hz apart\)"),
    ],
)
def test_impossible_bands_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LogMel(**options)


class Codes(FrontEnd):
    """Text to (T) int64: a number per word that no float32 holds."""

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        return np.array([2**40 + len(word) for word in sample.tobytes().split()] or [7, 7], np.int64)


@pytest.fixture
def prepared(written) -> Prepared:
    random = np.random.default_rng(0)
    values = {
        "words": [None if k % 5 == 3 else "a bc def"[: k % 8 + 1] for k in range(24)],
        "sound": [None if k % 6 == 1 else random.normal(size=(400 + 90 * k, 2)) for k in range(24)],
        "beep": [random.normal(size=800) for _ in range(24)],
        "image": [random.integers(0, 255, (1, 6, 6), dtype=np.uint8) for _ in range(24)],
    }
    forms = {"words": Form((), "text"), "sound": Form((None, 2), "float32"), "beep": Form((800,), "float16")}
    forms["image"] = Form((1, 6, 6), "uint8")
    return written(forms, values, ["train"] * 20 + ["valid", "valid", "test", "test"])


def steps():
    front = LogMel(mels=8)
    return {
        "words": [Codes()],
        "sound": [front, Normalise(mean=[1.0], std=[2.0])],
        "beep": [front],
        "image": [Resize(size=(3, 3)), Scale(factor=0.5)],
    }


@pytest.mark.parametrize("start", [0, 2])
def test_resident_and_streamed_batches_of_front_ends_are_the_same(prepared: Prepared, start: int) -> None:
    views = [kind(prepared.split("train"), transforms=steps()) for kind in (Resident, Streamed)]
    both = [list(view.batches(6, order=order(20, 0, 0), train=True, start=start)) for view in views]
    assert len(both[0]) == 4 - start
    for one, two in zip(*both, strict=True):
        for name, a in one.inputs.items():
            b = two.inputs[name]
            assert a.values.dtype == b.values.dtype
            assert torch.equal(a.values, b.values)
            assert (a.mask is None) == (b.mask is None) == (name == "image")
            assert a.mask is None or torch.equal(a.mask, b.mask)


def test_results_are_padded_masked_and_keep_their_bits(prepared: Prepared) -> None:
    split = prepared.split("train")
    for batch in Streamed(split, transforms=steps()).batches(20):
        words, sound, beep = (batch.inputs[name] for name in ("words", "sound", "beep"))
        assert words.values.dtype == torch.int64
        assert words.values[2][~words.mask[2]].tolist() == [2**40 + 1, 2**40 + 1]
        assert (~words.mask).sum(1)[3] == 1  # absent: one zero step, whatever the front end makes of no text
        assert not words.values[~words.present].any()
        frames = LogMel(mels=8)(split.take("sound", [4])[0])
        assert torch.equal(sound.values[4, : len(frames)], (torch.from_numpy(frames) - 1.0) / 2.0)
        assert not sound.values[4, len(frames) :].any()
        assert not sound.values[~sound.present].any()
        assert beep.values.shape == (20, 3, 8)
        assert not beep.mask.any()


def test_a_front_end_must_stand_first(prepared: Prepared) -> None:
    with pytest.raises(DataError, match="modality beep: LogMel reads samples as they are on disk; put it before"):
        Resident(prepared.split("train"), transforms={"beep": [Scale(factor=2.0), LogMel()]})


def test_a_number_of_frames_cuts_long_sounds_and_adds_silence_to_short_ones() -> None:
    long, short = np.random.default_rng(2).normal(size=(2, 4000)).astype(np.float32), np.ones(560, np.float32)
    assert not LogMel().stacks
    for frames in (1, 3, 60):
        step = LogMel(frames=frames)
        assert step.stacks
        for sound in (long[0], short):
            found, whole = step(sound), LogMel()(sound)
            assert found.shape == (frames, 64)
            assert found.dtype == np.float32
            assert np.array_equal(found[: len(whole)], whole[:frames])
            assert (found[len(whole) :] == np.float32(math.log(1e-10))).all()


def test_nothing_is_known_about_the_statistics_behind_one() -> None:
    assert LogMel().after(Statistics((0.0,), (1.0,), 3)) is None
