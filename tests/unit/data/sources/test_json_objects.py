"""Objects of a JSON file, one at a time: the same as `json.loads`, wherever the pieces that are read end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cggm_pipeline.data.sources import _objects
from cggm_pipeline.data.sources._objects import read_again, read_objects
from cggm_pipeline.errors import DataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=OBJECTS, ascii=st.booleans(), lines=st.booleans(), piece=st.integers(3, 40), mark=st.booleans())
def test_every_object_comes_with_its_place(
    tmp_path: Path, content: list[dict], ascii: bool, lines: bool, piece: int, mark: bool
) -> None:
    encoded = [json.dumps(one, ensure_ascii=ascii) for one in content]
    text = "\n".join(encoded) if lines else "[" + ",\n ".join(encoded) + "]\n"
    path = tmp_path / "some.json"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_objects, "PIECE", piece)
        found = list(read_objects(path, "some.json"))
    assert [entry.content for entry in found] == content
    assert [read_again(path, entry.start, entry.size) for entry in found] == content
    assert [entry.line for entry in found] == list(range(1, len(content) + 1))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "large.json"
    path.write_text("[" + ",".join(json.dumps({"text": "x" * 20_000}) for _ in range(1_000)) + "]")
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_objects(path, "large.json")) == 1_000
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20 < path.stat().st_size
    finally:
        tracemalloc.stop()


def test_an_object_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_objects, "PIECE", 100)
    monkeypatch.setattr(_objects, "LARGEST", 1_000)
    path = tmp_path / "endless.json"
    path.write_text('[\n{"text": "' + "x" * 100_000)
    with pytest.raises(DataError, match=r"endless.json:2: error: it is not a JSON object \(Unterminated string"):
        list(read_objects(path, "endless.json"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing.json: error: it cannot be read: No such file"):
        list(read_objects(tmp_path / "nothing.json", "nothing.json"))
