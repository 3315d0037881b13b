"""Reading by many threads: the same bytes, the same faults, in the same order, and never more than a few units."""

from __future__ import annotations

import hashlib
import threading
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cggm_pipeline.build import data as build_data
from cggm_pipeline.data import threads, writing
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.sources.base import Raw
from cggm_pipeline.data.writing import Content, hashed, write
from cggm_pipeline.errors import DataError

FORMS = {"wave": Form((None, 2), "float32"), "image": Form((1, 5, 5), "uint8")}


class Units(Raw):
    """Samples in units of three, each of which takes a moment that depends on it; counts what is read at once."""

    def __init__(self, number: int, faulty: frozenset[int] = frozenset()) -> None:
        self.ids = [f"s{index:03d}" for index in range(number)]
        self.labels = ["0"] * number
        self.files = {}
        self.faulty = faulty
        self.busy: set[int] = set()
        self.most = 0

    def units(self, members: np.ndarray) -> list[np.ndarray]:
        return [members[start : start + 3] for start in range(0, len(members), 3)]

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        self.busy.add(threading.get_ident())
        self.most = max(self.most, len(self.busy))
        time.sleep((index * 7919 % 5) / 4000)
        self.busy.discard(threading.get_ident())
        if index in self.faulty:
            raise ValueError(f"number {index} is broken")
        random = np.random.default_rng(index)
        return {
            "wave": random.normal(size=(index % 4 + 1, 2)),
            "image": random.integers(0, 255, (1, 5, 5), dtype=np.uint8),
        }


def content(raw: Raw) -> Content:
    splits = [("train", "train", "valid", "test")[index % 4] for index in range(len(raw.ids))]
    return Content("units", raw, FORMS, np.zeros(len(raw.ids), np.int64), ("0", "1"), splits)


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHUNK_ROWS", 7)
    digests, most = set(), []
    for number in (1, 2, 5):
        monkeypatch.setattr(threads, "number", lambda piece=0, number=number: number)
        raw = Units(60)
        manifest = write(tmp_path / str(number), content(raw))
        most.append(raw.most)
        digests.add(manifest.digest)
        files = [tmp_path / str(number) / name for name in manifest.files]
        digests.add(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest())
    assert len(digests) == 2
    assert most[0] == 1
    assert most[2] > 1  # they did read at the same time


def test_faults_come_in_the_order_of_the_samples_and_all_are_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(threads, "number", lambda piece=0: 4)
    seen: list[int] = []
    with pytest.raises(DataError) as caught:
        write(tmp_path / "units", content(Units(60, frozenset({0, 1, 8, 33, 58}))), seen.append)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "sample s000",
        "sample s001",
        "sample s008",
        "sample s033",
        "sample s058",
    ]
    assert lines[1] == "sample s001: error: number 1 is broken"
    assert sum(seen) == 60
    assert not (tmp_path / "units").exists()


def test_an_error_that_is_no_fault_of_a_sample_ends_it_at_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(threads, "number", lambda piece=0: 2)
    raw = Units(300)
    read: list[int] = []

    def sample(index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        read.append(index)
        raise OSError("the disk went away")

    raw.sample = sample  # type: ignore[method-assign]
    with pytest.raises(DataError, match="the disk went away"):
        write(tmp_path / "units", content(raw))
    assert len(read) <= 4  # a sample of each unit that had begun
    assert threading.active_count() < 20


def test_no_more_units_are_held_than_threads_and_one() -> None:
    begun: list[int] = []

    def work(piece: int) -> int:
        begun.append(piece)
        return piece

    results = threads.in_order(work, range(50), threads=3)
    for taken in range(50):
        assert next(results) == taken
        time.sleep(0.002)
        assert len(begun) <= taken + 1 + 3
    assert sorted(begun) == list(range(50))


class Volumes(Raw):
    """Units of 2 MB each, read as a whole and kept per thread, as a reader of volumes does."""

    def __init__(self, units: int) -> None:
        self.ids = [str(index) for index in range(units * 8)]
        self.labels = ["0"] * len(self.ids)
        self.files = {}
        self.held = threading.local()

    def units(self, members: np.ndarray) -> list[np.ndarray]:
        return [members[start : start + 8] for start in range(0, len(members), 8)]

    def sample(self, index: int, members: np.ndarray) -> dict[str, np.ndarray]:
        if getattr(self.held, "unit", None) != index // 8:
            self.held.unit, self.held.volume = index // 8, np.full((8, 1, 256, 256), index // 8, np.float32)
        return {"scan": self.held.volume[index % 8]}


def test_memory_does_not_grow_with_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "number", lambda piece=0: 2)
    monkeypatch.setattr(writing, "CHUNK_BYTES", 2**20)
    peaks = []
    for number in (6, 24):
        raw = Volumes(number)
        splits = ["train"] * (len(raw.ids) - 2) + ["valid", "test"]
        forms = {"scan": Form((1, 256, 256), "float32")}
        tracemalloc.start()
        write(tmp_path / "v", Content("v", raw, forms, np.zeros(len(raw.ids), np.int64), ("0", "1"), splits))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**23, "36 MB more were read; a few units of 2 MB more may be in flight"
    assert peaks[1] < 24 * 2**20


def test_files_are_hashed_by_threads_and_named_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).write_bytes(name.encode() * 5000)
    found = hashed({name: tmp_path / name for name in ("b", "a", "c")})
    assert list(found) == ["a", "b", "c"]
    assert found["b"].sha256 == hashlib.sha256(b"b" * 5000).hexdigest()


def test_a_disk_that_cannot_hold_it_is_told_before_anything_is_read(tmp_path: Path, monkeypatch) -> None:
    raw = Units(8)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: SimpleNamespace(free=9 * 10**9))
    forms = {"image": Form((3, 10**4, 10**4), "float32"), "wave": FORMS["wave"]}
    large = Content("units", raw, forms, np.zeros(8, np.int64), ("0", "1"), content(raw).splits)
    with pytest.raises(DataError, match=r"take at least 9\.6 GB, and the disk has 9\.0 GB left"):
        write(tmp_path / "units", large)
    assert raw.most == 0
    assert large.estimate() == (8 * (3 * 10**8 * 4 + 8), ["wave"])


def test_a_large_data_set_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    raw = Units(8)
    forms = {"image": Form((3, 10**5, 10**5), "float16"), "wave": FORMS["wave"]}
    build_data._say_size(Content("units", raw, forms, None, ("0", "1"), content(raw).splits, (10, 10)))
    assert capsys.readouterr().err == "  prepare units: about 480.0 GB on disk, and what wave takes (its size varies)\n"
    build_data._say_size(content(raw))
    assert capsys.readouterr().err == ""


def test_units_that_lose_a_sample_are_a_fault_of_the_source(tmp_path: Path) -> None:
    raw = Units(12)
    raw.units = lambda members: [members[:-1]]  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match=r"Units\.units does not give the samples of train in order"):
        write(tmp_path / "units", content(raw))


def test_fewer_threads_read_where_pieces_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: range(64))
    monkeypatch.setattr(threads, "_memory", lambda: 2**33)  # 8 GiB: 1 GiB for pieces
    assert threads.number() == threads.number(10**6) == 8
    assert threads.number(2**28) == 3  # and a fourth piece that waits
    assert threads.number(2**40) == 1
    monkeypatch.setattr(threads, "_memory", lambda: 2**37)
    assert threads.number(2**28) == 8
    monkeypatch.setattr(threads, "_memory", lambda: 2**20)
    assert threads.number(2**28) == 3


def test_units_are_read_by_as_many_threads_as_their_size_allows(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: range(8))
    raw = Units(60)
    raw.unit_bytes = 2**60
    write(tmp_path / "units", content(raw))
    assert raw.most == 1
