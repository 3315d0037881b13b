"""Pickles of strangers: arrays of every protocol come out whole, nothing of a hostile one runs, claims cost nothing."""

from __future__ import annotations

import builtins
import contextlib
import os
import pickle
import pickletools
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cggm_pipeline.data.sources._stored import Stored
from cggm_pipeline.data.sources._unpickle import HANDLED, unpickled
from cggm_pipeline.errors import DataError

ARRAYS = {
    "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(5, dtype=">i4"),
    "int64": np.arange(-3, 3),
    "float16": np.linspace(0, 1, 7).astype(np.float16),
    "bool": np.array([True, False]),
    "bytes": np.array([[b"ab", b"c"]]),
    "text": np.array(["x", "ü", "字"]),
    "empty": np.zeros((0, 3)),
    "one": np.array(2.5),
    "all bytes": np.arange(256, dtype=np.uint8),
}


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def load(path: Path, data: bytes) -> Any:
    (path / "t.pkl").write_bytes(data)
    return unpickled(path / "t.pkl", "raw/t.pkl")


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    found = load(tmp_path, pickle.dumps({"train": ARRAYS}, protocol))["train"]
    assert list(found) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        array = found[name].array()
        np.testing.assert_array_equal(array, expected, name)
        assert array.dtype == expected.dtype
        assert array.flags.f_contiguous == expected.flags.f_contiguous
        assert not array.flags.writeable


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_text_and_containers(tmp_path: Path, protocol: int) -> None:
    content = [np.float32(2.5), np.int64(-3), np.str_("q"), 7, 1.5, None, True, "ü", b"\xff", b"", (1, [2]), 2**70]
    assert load(tmp_path, pickle.dumps(content, protocol)) == content


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_objects_are_lists(tmp_path: Path, protocol: int) -> None:
    stored = load(tmp_path, pickle.dumps(np.array([["v", "1"], ["w", "2"]], object), protocol))
    assert stored.flat() == ["v", "1", "w", "2"]
    assert stored.shape == (2, 2)
    with pytest.raises(ValueError, match="Python objects"):
        stored.array()


def test_a_file_of_python_2(tmp_path: Path) -> None:
    """Protocol 2 of Python 2: bytes in BINSTRING, module numpy.core.multiarray, dtype codes as str."""
    raw = np.array([1.5, -2], "<f4").tobytes() + b"\xe9\x80\x00\xff"
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x03\x85"
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<i", len(raw)) + raw + b"tb."
    )
    np.testing.assert_array_equal(load(tmp_path, data).array(), np.frombuffer(raw, "<f4"))


def test_arrays_are_views_and_the_file_is_in_memory_once(tmp_path: Path) -> None:
    data = pickle.dumps({"a": np.ones(2**21), "b": np.ones(2**21)}, 4)
    (tmp_path / "t.pkl").write_bytes(data)
    tracemalloc.start()
    found = unpickled(tmp_path / "t.pkl", "t.pkl")
    arrays = [stored.array() for stored in found.values()]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(np.shares_memory(array, stored.array()) for array, stored in zip(arrays, found.values(), strict=True))
    assert most < 1.1 * len(data)


HOSTILE = {
    "posix.system": Calls(os.system, "touch CAUGHT"),
    "builtins.eval": Calls(eval, "open('CAUGHT', 'w')"),
    "builtins.exec": Calls(exec, "open('CAUGHT', 'w')"),
    "builtins.getattr": Calls(getattr, "a", "b"),
    "io.open": Calls(open, "CAUGHT", "w"),
    "builtins.print": {"train": {"text": [Calls(print, "in a list")]}},
    "builtins.__import__": np.array([Calls(builtins.__import__, "antigravity")], object),
    "builtins.bytearray": Calls(bytearray, 10**12),
    "numpy.load": Calls(np.load, "CAUGHT", None, True),
    "numpy.ones": Calls(np.ones, 10**12),
    "pickle.loads": Calls(pickle.loads, pickle.dumps(Calls(os.system, "touch CAUGHT"))),
    "pathlib": Path("CAUGHT"),
    "functools.partial": Calls(__import__("functools").partial, os.system),
    "operator.attrgetter": Calls(__import__("operator").attrgetter, "system"),
    "collections.OrderedDict": __import__("collections").OrderedDict(a=1),
    "datetime64": np.array(["2020-01-01"], "M8[D]"),
    "records": np.zeros(2, [("a", "f4")]),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_named_and_nothing_of_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(HOSTILE[name], protocol)
    named = {"datetime64": "dtype 'M8'", "records": "(dtype 'V4'|arrays of records)"}.get(name, name)
    named = named.replace("builtins.", r"(builtins|__builtin__)\.")
    with pytest.raises(DataError, match=rf"raw/t\.pkl: error: this pickle asks for .*{named}.*nothing of it was run"):
        load(tmp_path, data)
    assert os.listdir(tmp_path) == ["t.pkl"]
    assert capfd.readouterr().out == ""


def test_torch_tensors(tmp_path: Path) -> None:
    import torch

    with pytest.raises(DataError, match=r"asks for torch\._utils\._rebuild_tensor_v2"):
        load(tmp_path, pickle.dumps({"text": torch.zeros(3)}))
    torch.save({"text": torch.zeros(3)}, tmp_path / "z.pt")
    with pytest.raises(DataError, match="zip archive"):
        load(tmp_path, (tmp_path / "z.pt").read_bytes())


INSTRUCTIONS = {
    "PERSID": b"Pabc\n.",
    "BINPERSID": b"U\x01aQ.",
    "INST": b"(ios\nsystem\n.",
    "OBJ": b"(U\x01ao.",
    "NEWOBJ": b"cnumpy\ndtype\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04cnumpy\ndtype\n)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "FROZENSET": b"\x80\x04(\x91.",
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_instructions_that_no_array_needs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"the instruction {name}, which"):
        load(tmp_path, INSTRUCTIONS[name])


def test_the_list_of_instructions_has_no_misspelt_one() -> None:
    assert set(HANDLED.split()) <= {opcode.name for opcode in pickletools.opcodes}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"cnumpy\nndarray\n)R.", "a call of str"),
        (b"]U\x01a\x85R.", "a call of list"),
        (b"cnumpy\ndtype\n}U\x01aK\x01sb.", "attributes of type"),
        (b"c_codecs\nencode\n}U\x08__func__K\x01sb.", "attributes of method"),
        (b"}}U\x01aK\x01sb.", "attributes of dict"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.", "text in 'utf-7'"),
        (b"c_codecs\nencode\nq\x000X\x30\x00\x00\x00" + b"a" * 48 + b"q\x01X\x06\x00\x00\x00latin1q\x0200("
         + b"h\x00h\x01h\x02\x86R" * 20 + b"l.", "more bytes than the file has"),
        (b"cnumpy\ndtype\nX\x02\x00\x00\x00V8\x85R.", "arrays of dtype 'V8'"),
        (b"cnumpy\ndtype\nX\x05\x00\x00\x00f4,f4\x85R.", "arrays of dtype 'f4,f4'"),
        (b"cos\nsystem\n.", "os.system"),
    ],
)  # fmt: skip
def test_what_the_allowed_names_cannot_be_used_for(tmp_path: Path, data: bytes, named: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, data)
    assert f"asks for {named}" in str(caught.value)


def array_of(shape: bytes, raw: bytes) -> bytes:
    """An array of float32 with this pickled shape and these bytes."""
    return (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01" + shape +
        b"cnumpy\ndtype\n\x8c\x02f4\x85R\x89C" + bytes([len(raw)]) + raw + b"tb."
    )  # fmt: skip


@pytest.mark.parametrize("shape", [b"\x8a\x06\x00\x00\x00\x00\x00\x10\x85", b"K\x03\x85", b"K\x01K\x00\x86"])
def test_an_array_that_claims_other_sizes_than_it_has(tmp_path: Path, shape: bytes) -> None:
    stored = load(tmp_path, array_of(shape, bytes(8)))
    with pytest.raises(ValueError, match="its 8 bytes are no array"):
        stored.array()


@pytest.mark.parametrize("shape", [b"J\xff\xff\xff\xff\x85", b"N", b"K\x02", b"U\x01a\x85"])
def test_sizes_that_are_none(tmp_path: Path, shape: bytes) -> None:
    with pytest.raises(DataError, match="no whole pickle"):
        load(tmp_path, array_of(shape, bytes(8)))


CLAIMS = {
    "a terabyte of bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc",
    "a terabyte of text": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"abc",
    "a terabyte of bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc",
    "a frame of a terabyte": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
    "the memo's four-billionth place": b"Nr\xff\xff\xff\xff0.",
    "an integer of two gigabytes": b"\x80\x02\x8b\xff\xff\xff\x7fa",
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_take_no_memory(tmp_path: Path, name: str) -> None:
    tracemalloc.start()
    with pytest.raises(DataError, match="no whole pickle"):
        load(tmp_path, CLAIMS[name])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize(
    "data", [b"", b"hello, no pickle", b"\x89HDF\r\n\x1a\n", b"<html>", b"\x80\x09N.", b"0.", b"h\x00."]
)
def test_no_pickle(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"raw/t\.pkl: error: "):
        load(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"<!DOCTYPE html><html>sign in", "a web page"),
        (b"\n  <html>404</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf'\x1c", "7z"),
        (b"Rar!\x1a\x07", "rar"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"", "empty"),
    ],
)
def test_what_a_person_fetched_instead_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        load(tmp_path, data)
    assert "KeyError" not in str(caught.value)


def test_an_instruction_that_does_not_exist_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no whole pickle") as caught:
        load(tmp_path, b"\xe2\x00 noise")
    assert "KeyError" not in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.pkl")
    with pytest.raises(DataError, match=r"raw/t\.pkl: error: it is not a file"):
        unpickled(tmp_path / "t.pkl", "raw/t.pkl")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_every_truncation_is_an_error(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps({"train": {"text": np.arange(4.0), "id": np.array(["a", "b"], object)}}, protocol)
    for end in range(1, len(data), 2 if protocol else 5):
        with pytest.raises(DataError, match="no whole pickle"):
            load(tmp_path, data[:end])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_pickle_is_read_or_refused_never_anything_else(
    tmp_path: Path, protocol: int, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(pickle.dumps({"t": ARRAYS["float32"], "u": ARRAYS["text"], "o": [np.float32(1), "a"]}, protocol))
    for position, value in changes:
        data[position % len(data)] = value
    try:
        found = load(tmp_path, bytes(data))
    except DataError:
        return
    for value in found.values() if isinstance(found, dict) else ():
        if isinstance(value, Stored):
            with contextlib.suppress(ValueError):
                value.flat()


def test_deep_nesting_needs_no_recursion(tmp_path: Path) -> None:
    found = load(tmp_path, b"]" * 100_000 + b"a" * 99_999 + b".")
    depth = 0
    while found:
        (found,) = found
        depth += 1
    assert depth == 99_999


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source\.path: raw/t\.pkl cannot be read: No such file"):
        unpickled(tmp_path / "t.pkl", "raw/t.pkl")
