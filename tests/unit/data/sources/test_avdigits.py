"""Spoken and written digits: made-up files in the publishers' formats, every fault in words, the real files' pairs."""

from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cggm_pipeline.data.sources.avdigits import paired

from ._projects import SourceProject, real

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
VALID = {"kind": "published", "valid": 0.5, "seed": 0}


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def digits() -> np.ndarray:
    """12 images of each digit, mixed."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(10, dtype=np.uint8), 12))


def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (120, 28, 28), np.uint8)


@pytest.fixture
def project(tmp_path: Path) -> SourceProject:
    """Nine recordings of each digit by one speaker, numbers 0 to 8: five tested, four to train and validate."""
    made = SourceProject(tmp_path, "avdigits")
    (made.raw / "fsdd/recordings").mkdir(parents=True)
    (made.raw / "mnist").mkdir()
    (made.raw / "mnist" / IMAGES).write_bytes(idx(pixels()))
    (made.raw / "mnist" / f"{LABELS}.gz").write_bytes(gzip.compress(idx(digits())))
    for digit in range(10):
        for number in range(9):
            wave = np.full(400 + number, digit / 10)
            soundfile.write(recording(made, f"{digit}_ann_{number}.wav"), wave, 8000, subtype="PCM_16")
    return made


def recording(project: SourceProject, name: str) -> Path:
    return project.raw / "fsdd/recordings" / name


def test_made_up_files_come_back(project: SourceProject) -> None:
    prepared = project.prepared(project.document(split=VALID))
    assert prepared.manifest.counts == {"train": 20, "valid": 20, "test": 50}
    seen: list[bytes] = []
    labels, images = digits(), pixels()
    for split in ("train", "valid", "test"):
        samples = prepared.split(split)
        for index in range(len(samples)):
            sample = samples[index]
            digit, _, number = sample["id"].split("_")
            assert (int(number) < 5) == (split == "test")
            assert sample["target"] == int(digit)
            assert sample["audio"].shape == (400 + int(number), 1)
            assert np.allclose(sample["audio"], int(digit) / 10, atol=1e-4)
            found = np.flatnonzero((np.float32(images) / 255 == sample["image"]).all((1, 2)))
            assert labels[found].tolist() == [int(digit)]
            seen.append(sample["image"].tobytes())
    assert len(set(seen)) == 90  # no image twice


def test_the_flat_layout_of_dvc_import_is_the_same(project: SourceProject) -> None:
    before = project.prepared(project.document(split=VALID)).split("train")[3]
    (project.raw / "fsdd/recordings").rename(project.raw / "recordings")
    for name in (IMAGES, f"{LABELS}.gz"):
        (project.raw / "mnist" / name).rename(project.raw / name)
    after = project.prepared(project.document(split=VALID)).split("train")[3]
    assert before["id"] == after["id"]
    assert np.array_equal(before["image"], after["image"])


def test_the_noise_is_gaussian_of_that_deviation_on_the_image_alone(project: SourceProject) -> None:
    clean = project.prepared(project.document(split=VALID)).split("test")
    plain = [clean[index] for index in range(50)]
    drawn = {}
    for seed in (0, 1):
        noisy = project.prepared(project.document(split=VALID, noise=0.5, seed=seed)).split("test")
        assert all(np.array_equal(noisy[index]["audio"], plain[index]["audio"]) for index in range(50))
        drawn[seed] = np.stack([noisy[index]["image"] - plain[index]["image"] for index in range(50)])
        assert abs(drawn[seed].mean()) < 4 * 0.5 / drawn[seed].size ** 0.5
        assert abs(drawn[seed].std() / 0.5 - 1) < 0.02
    assert np.abs(np.corrcoef(drawn[0].reshape(50, -1)) - np.eye(50)).max() < 0.2  # another one for every image
    assert not np.allclose(drawn[0], drawn[1])


def test_labels_are_wrong_in_training_alone(project: SourceProject) -> None:
    prepared = project.prepared(project.document(split=VALID, label_noise=0.5))
    wrong = {
        split: sum(int(sample["id"][0]) != sample["target"] for sample in map(samples.__getitem__, range(len(samples))))
        for split in ("train", "valid", "test")
        for samples in [prepared.split(split)]
    }
    assert wrong == {"train": 10, "valid": 0, "test": 0}


def test_faults_of_the_idx_files_are_said(project: SourceProject) -> None:
    path = project.raw / "mnist" / IMAGES
    whole = path.read_bytes()
    for content, said in {
        whole[:-1]: "its head says 94,080 bytes, it holds 94,079",
        whole + b"x": "its head says 94,080 bytes, it holds more",
        b"PNG" + whole[3:]: "it begins with 50 4e 47 03",
        b"": "it begins with",
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 28): "its head says",
        idx(np.zeros((120, 28, 27), np.uint8)): "do not agree",
        idx(np.zeros((119, 28, 28), np.uint8)): "do not agree",
    }.items():
        path.write_bytes(content)
        message = project.error()
        assert said in message, message
        assert "data/raw/avdigits" in message


def test_a_damaged_or_endless_gzip_is_said(project: SourceProject) -> None:
    path = project.raw / "mnist" / f"{LABELS}.gz"
    whole = path.read_bytes()
    bomb, unreadable = gzip.compress(idx(digits()) + bytes(10**6)), "cannot be read"
    for content, said in {whole[:-9]: unreadable, b"\x1f\x8bgarbage": unreadable, bomb: "holds more"}.items():
        path.write_bytes(content)
        message = project.error()
        assert said in message, message


def test_faults_of_the_recordings_are_said_all_at_once(project: SourceProject) -> None:
    recording(project, "ten_ann_0.wav").write_bytes(b"")
    recording(project, "3_ann_12345.wav").write_bytes(b"")
    message = project.error()
    assert "'3_ann_12345.wav' is not DIGIT_SPEAKER_NUMBER.wav" in message
    assert "'ten_ann_0.wav' is not DIGIT_SPEAKER_NUMBER.wav" in message


@pytest.mark.parametrize(
    ("shape", "rate", "said"),
    [((400, 2), 8000, "2 channel(s)"), ((400,), 16_000, "16000 Hz"), ((0,), 8000, "0 samples"), (None, 0, "readable")],
)
def test_a_sound_of_another_kind_is_refused(
    project: SourceProject, shape: tuple[int, ...] | None, rate: int, said: str
) -> None:
    path = recording(project, "3_ann_4.wav")
    path.write_bytes(b"RIFF") if shape is None else soundfile.write(path, np.zeros(shape), rate)
    message = project.error(project.document(split=VALID))
    assert said in message
    assert "3_ann_4.wav" in message


def test_a_link_that_leads_out_is_refused(project: SourceProject, tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    recording(project, "3_ann_4.wav").rename(outside)
    recording(project, "3_ann_4.wav").symlink_to(outside)
    assert "leads out of the folder" in project.error()


def test_what_is_missing_is_named(project: SourceProject) -> None:
    (project.raw / "mnist" / IMAGES).unlink()
    assert f"has no mnist/{IMAGES} or mnist/{IMAGES}.gz or {IMAGES}" in project.error()


def test_missing_data_are_told_with_their_source_and_licence(tmp_path: Path) -> None:
    project = SourceProject(tmp_path, "avdigits")
    project.raw.rmdir()
    message = project.error()
    assert "CC BY-SA 4.0" in message
    assert "docs/data/avdigits.md" in message
    assert "cggm twin" not in message


def test_too_few_images_are_said() -> None:
    with pytest.raises(ValueError, match="fewer images of the digit 3"):
        paired(["3_ann_0.wav", "3_ann_1.wav"], np.array([3, 4]))


def test_the_real_pairs_are_those_of_the_committed_file(shared_data: Path, tmp_path: Path) -> None:
    project = real(shared_data, tmp_path, "avdigits")
    with (project.raw / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.frombuffer(gzip.decompress((project.raw / "mnist" / f"{LABELS}.gz").read_bytes()), np.uint8, offset=8)
    pairs = paired([Path(row["recording"]).name for row in reversed(rows)], labels)
    assert [(f"fsdd/recordings/{pair.recording}", str(pair.image), str(pair.digit), pair.split) for pair in pairs] == [
        (row["recording"], row["mnist_t10k_index"], row["label"], row["split"]) for row in rows
    ]
    assert [pair.split for pair in pairs].count("test") == 300
    prepared = project.prepared()
    assert prepared.manifest.counts == {"train": 1080, "valid": 1620, "test": 300}
