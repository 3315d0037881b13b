"""The form on disk: what goes in comes out, whole or not at all, and damage is noticed and named."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cggm_pipeline.data import output, writing
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.output import replaced
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.statistics import Moments
from cggm_pipeline.data.writing import Content, write
from cggm_pipeline.errors import DataError

SPLITS = ("train", "valid", "test")
THREE = list(SPLITS)
DTYPES = ("float32", "float16", "int64", "int16", "uint8")


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_keep_shape_dtype_and_bits(written, dtype: str) -> None:
    random = np.random.default_rng(0)
    arrays = [(random.normal(size=(2, 3, 4)) * 50).clip(0).astype(dtype) for _ in range(9)]
    prepared = written({"m": Form((2, 3, 4), dtype)}, {"m": arrays}, THREE * 3)
    for offset, split in enumerate(SPLITS):
        taken = prepared.split(split).take("m", [2, 0])
        assert taken.dtype == np.dtype(dtype)
        assert np.array_equal(taken, np.stack([arrays[offset + 6], arrays[offset]]))


@given(
    sequences=st.lists(
        st.none()
        | hnp.arrays(np.float32, st.tuples(st.integers(1, 7), st.just(3)), elements=st.floats(-8, 8, width=32)),
        min_size=3,
        max_size=12,
    ),
    chunk_rows=st.integers(1, 5),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ragged_sequences_come_back(written, monkeypatch, sequences, chunk_rows) -> None:
    monkeypatch.setattr(writing, "CHUNK_ROWS", chunk_rows)
    splits = [*SPLITS, *("train",) * (len(sequences) - 3)]
    prepared = written({"m": Form((None, 3), "float32")}, {"m": sequences}, splits)
    for split in SPLITS:
        mine = [value for value, name in zip(sequences, splits, strict=True) if name == split]
        part = prepared.split(split)
        present = part.present("m")
        assert (present is None) == all(value is not None for value in sequences)
        order = list(range(len(mine)))[::-1]
        for position, value in zip(order, part.take("m", order), strict=True):
            there = mine[position]
            assert np.array_equal(value, np.zeros((1, 3), np.float32) if there is None else there)
            assert present is None or bool(present[position]) == (there is not None)


@given(texts=st.lists(st.text(min_size=1, max_size=9), min_size=3, max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_comes_back(written, texts) -> None:
    splits = [*SPLITS, *("train",) * (len(texts) - 3)]
    prepared = written({"t": Form((), "text")}, {"t": texts}, splits)
    train = [text for text, split in zip(texts, splits, strict=True) if split == "train"]
    part = prepared.split("train")
    assert [part[index]["t"] for index in range(len(part))] == train


def test_samples_of_many_record_batches_are_found(written, monkeypatch) -> None:
    monkeypatch.setattr(writing, "CHUNK_ROWS", 4)
    arrays = [np.full(5, index, np.float32) for index in range(60)]
    prepared = written({"m": Form((5,), "float32")}, {"m": arrays}, THREE * 20)
    wanted = [19, 3, 4, 3, 0, 12]
    assert prepared.split("test").take("m", wanted)[:, 0].tolist() == [3 * row + 2 for row in wanted]
    for outside in (20, -1):
        with pytest.raises(IndexError):
            prepared.split("test").take("m", [0, outside])


def test_real_values_have_a_width(tmp_path: Path, listed) -> None:
    target = np.arange(6, dtype=np.float32).reshape(3, 2)
    raw = listed({"m": [np.ones(2, np.float32)] * 3}, ["0"] * 3, THREE)
    write(tmp_path / "v", Content("v", raw, {"m": Form((2,), "float32")}, target, (), THREE))
    prepared = Prepared.open(tmp_path / "v")
    assert (prepared.manifest.width, prepared.manifest.classes) == (2, ())
    assert prepared.split("valid").target.tolist() == [[2, 3]]


def test_present_column_stands_only_where_something_is_missing(written) -> None:
    one = np.ones(2, np.float32)
    forms = {"full": Form((2,), "float32"), "holes": Form((2,), "float32")}
    prepared = written(forms, {"full": [one] * 6, "holes": [one, None, one, one, one, one]}, THREE * 2)
    with pa.memory_map(str(prepared.folder / "train.arrow")) as source:
        assert pa.ipc.open_file(source).schema.names == ["id", "target", "full", "holes", "holes.present"]
    assert prepared.manifest.absent["valid"] == {"holes": 1}
    assert prepared.split("valid").present("holes").tolist() == [False, True]
    assert prepared.split("valid")[0]["holes"] is None


def test_statistics_leave_out_absent_samples_and_follow_the_channel_axis(written) -> None:
    random = np.random.default_rng(1)
    images = [random.integers(0, 255, (3, 4, 5), dtype=np.uint8) for _ in range(30)]
    steps = [None if k % 4 == 0 else random.normal(3, 2, (k % 5 + 1, 2)).astype(np.float32) for k in range(30)]
    prepared = written(
        {"image": Form((3, 4, 5), "uint8"), "steps": Form((None, 2), "float32")},
        {"image": images, "steps": steps},
        THREE * 10,
    )
    image, sequence = prepared.manifest.statistics["image"], prepared.manifest.statistics["steps"]
    stacked = np.stack(images[::3]).astype(np.float64)
    np.testing.assert_allclose(image.mean, stacked.mean((0, 2, 3)), rtol=1e-10)
    np.testing.assert_allclose(image.std, stacked.std((0, 2, 3)), rtol=1e-10)
    flat = np.concatenate([value for value in steps[::3] if value is not None]).astype(np.float64)
    np.testing.assert_allclose(sequence.mean, flat.mean(0), rtol=1e-10)
    np.testing.assert_allclose(sequence.std, flat.std(0), rtol=1e-10)
    assert sequence.samples == sum(value is not None for value in steps[::3])


def test_moments_are_exact_far_from_zero() -> None:
    values = 1e6 + np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    moments = Moments(Form((3,), "float32"))
    for row in values:
        moments.add(row)
    np.testing.assert_allclose(moments.result().std, values.astype(np.float64).std(0), rtol=1e-9)


@pytest.mark.parametrize(
    ("value", "form", "words"),
    [
        (np.ones(3), Form((2,), "float32"), "it has shape [3], declared is [2] float32"),
        (np.array([np.nan, 1]), Form((2,), "float32"), "not finite"),
        (np.array([1e300, 1]), Form((2,), "float32"), "not finite in float32"),
        (np.array([1.5, 1]), Form((2,), "int64"), "float64, which does not become int64"),
        (np.array([300, 1]), Form((2,), "uint8"), "outside the range of uint8"),
        (np.ones((0, 2)), Form((None, 2), "float32"), "it is empty"),
        (np.array(["a", "b"]), Form((2,), "float32"), "dtype <U1"),
        (np.array([1j, 2]), Form((2,), "float32"), "dtype complex128"),
        ("words", Form((2,), "float32"), "str where an array"),
        (np.ones(2), Form((), "text"), "ndarray where text is declared"),
    ],
)
def test_values_that_are_not_as_declared_are_refused(written, tmp_path, value, form, words) -> None:
    with pytest.raises(DataError) as caught:
        written({"m": form}, {"m": [value, value, value]}, THREE)
    assert words in str(caught.value)
    assert str(caught.value).startswith("sample s0: error: m: ")
    assert not (tmp_path / "prepared" / "listed").exists()


def test_a_shape_that_cannot_be_stored_says_what_can(written) -> None:
    with pytest.raises(DataError, match="height and width of a uint8 image"):
        written({"m": Form((4, None), "float32")}, {"m": [None] * 3}, THREE)


@pytest.fixture
def copy(digits: Prepared, tmp_path: Path) -> Path:
    """A copy of the prepared digits to be damaged."""
    return Path(shutil.copytree(digits.folder, tmp_path / "digits"))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_a_truncated_file_is_named_with_the_repair(copy: Path) -> None:
    truncate(copy / "valid.arrow")
    with pytest.raises(DataError) as caught:
        Prepared.open(copy)
    assert "valid.arrow: error: it is truncated or changed" in str(caught.value)
    assert "`dvc repro prepare` or `cggm prepare digits`" in str(caught.value)


@pytest.mark.parametrize("name", ["train.arrow", "manifest.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(DataError, match=f"{name}: error: it does not exist"):
        Prepared.open(copy)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not prepared yet"):
        Prepared.open(tmp_path / "nothing")


def test_a_flipped_byte_is_found_when_every_byte_is_verified(copy: Path) -> None:
    data = bytearray((copy / "test.arrow").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "test.arrow").write_bytes(data)
    Prepared.open(copy)
    with pytest.raises(DataError, match=r"test\.arrow: error: its SHA-256"):
        Prepared.open(copy, verify=True)


@pytest.mark.parametrize("seed", range(20))
def test_bytes_overwritten_at_random_never_crash(copy: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray((copy / "valid.arrow").read_bytes())
    where = random.choice([0, len(data) - 4000]) + int(random.integers(0, 3900))
    data[where : where + 40] = random.bytes(40)
    (copy / "valid.arrow").write_bytes(data)
    with pytest.raises(DataError, match=r"valid\.arrow: error"):
        Prepared.open(copy, verify=True)
    with suppress(DataError):  # without every byte verified, it may pass; it must not crash
        part = Prepared.open(copy).split("valid")
        part.take("noisy", range(len(part)))


def test_splits_that_were_swapped_are_noticed(copy: Path) -> None:
    shutil.copy(copy / "test.arrow", copy / "valid.arrow")
    with pytest.raises(DataError, match=r"valid\.arrow"):
        Prepared.open(copy)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 99}', "null", "\ud800"], ids=range(8)
)
def test_a_manifest_that_is_none_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=r"manifest\.json: error"):
        Prepared.open(copy)


def test_an_edited_manifest_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["counts"]["train"] = 7
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="digest"):
        Prepared.open(copy)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda manifest: manifest["modalities"].update(rotated={"shape": ["a"], "dtype": "float32"}),
        lambda manifest: manifest["modalities"].update(rotated={"shape": [10**30], "dtype": "float32"}),
        lambda manifest: manifest["modalities"].update(rotated={"shape": [1], "dtype": "object"}),
        lambda manifest: manifest["modalities"].update(rotated={"shape": [-1], "dtype": "float32"}),
        lambda manifest: manifest["modalities"].update(rotated={"shape": [], "dtype": "float32"}),
        lambda manifest: manifest.update(modalities=[]),
        lambda manifest: manifest.update(counts={}),
        lambda manifest: manifest.update(files={}),
        lambda manifest: manifest.update(more=1),
    ],
    ids=range(9),
)
def test_a_manifest_with_a_true_digest_over_nonsense_is_refused(copy: Path, spoil) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    spoil(manifest)
    content = {key: value for key, value in manifest.items() if key != "digest"}
    manifest["digest"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest\.json: error|arrow: error"):
        Prepared.open(copy)


def test_raw_files_that_change_meanwhile_are_noticed(tmp_path: Path, listed) -> None:
    file = tmp_path / "raw.bin"
    file.write_bytes(b"before")
    raw = listed({"m": [np.ones(2, np.float32)] * 3}, ["0"] * 3, THREE)
    raw.files = {"raw.bin": file}
    raw.place = lambda index: "never asked"
    content = Content("v", raw, {"m": Form((2,), "float32")}, np.zeros(3, np.int64), ("0",), THREE)
    with pytest.raises(DataError, match=r"raw files changed while they were read: raw\.bin"):
        write(tmp_path / "v", content, lambda _: file.write_bytes(b"after it"))
    assert not (tmp_path / "v").exists()


def test_the_torch_free_half_is_torch_free() -> None:
    modules = ["build.data", "cli.prepare_", "data.cells", "data.prepared", "data.sources.table", "data.writing"]
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module("cggm_pipeline." + name)
assert not {{"torch", "sklearn", "scipy", "PIL", "soundfile", "dvc"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


class FullDisk:
    """A file that takes some bytes, and then none, as a file on a full disk does."""

    def __init__(self, path: Path, room: int) -> None:
        self.file = path.open("wb")
        self.room = room
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def write(self, data) -> int:
        self.room -= len(memoryview(data).cast("B"))
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.closed = True
        self.file.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("room", [0, 500, 5000])
def test_a_full_disk_leaves_what_was_there(copy: Path, listed, monkeypatch, room: int) -> None:
    before = contents(copy)
    monkeypatch.setattr(writing, "opened", lambda path: FullDisk(path, room))
    raw = listed({"m": [np.ones(900, np.float32)] * 6}, ["0", "1"] * 3, THREE * 2)
    target = np.array([0, 1] * 3)
    with pytest.raises(DataError, match="the disk is full"):
        write(copy, Content("digits", raw, {"m": Form((900,), "float32")}, target, ("0", "1"), THREE * 2))
    assert contents(copy) == before
    assert {path.name for path in copy.parent.iterdir()} == {"digits", ".digits.lock"}


def test_a_full_disk_at_the_last_moment_leaves_what_was_there(copy: Path, monkeypatch) -> None:
    before = contents(copy)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(output, "sync", full)
    with pytest.raises(DataError, match="the disk is full"), replaced(copy) as folder:
        (folder / "new").write_text("new")
    assert contents(copy) == before


def test_a_swap_that_was_cut_short_is_mended(copy: Path) -> None:
    before = contents(copy)
    copy.rename(copy.with_name(".digits.old"))
    copy.with_name(".digits.new").mkdir()
    with pytest.raises(RuntimeError), replaced(copy):
        raise RuntimeError("the writer failed")
    assert contents(copy) == before
    assert {path.name for path in copy.parent.iterdir()} == {"digits", ".digits.lock"}


def _hold(folder: Path, held, end) -> None:
    with replaced(folder) as temporary:
        (temporary / "whose").write_text("theirs")
        held.set()
        end.wait(30)


def test_two_writers_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, end = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(tmp_path / "d", held, end))
    other.start()
    assert held.wait(30)
    with pytest.raises(DataError, match="another process is writing it"), replaced(tmp_path / "d"):
        pytest.fail("got in")
    end.set()
    other.join(30)
    assert (tmp_path / "d" / "whose").read_text() == "theirs"
    with replaced(tmp_path / "d") as folder:
        (folder / "whose").write_text("ours")
    assert (tmp_path / "d" / "whose").read_text() == "ours"
