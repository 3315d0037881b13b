"""Text that is not a spec: each fault with its line and column, and nothing that crashes or hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.load import Document, parse, read

HERE = Path("x.yaml")


def problems(text: str) -> list[Problem]:
    try:
        return parse(text, HERE, "x.yaml").problems
    except SpecError as error:
        return list(error.problems)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the file is empty"),
        ("# only a comment\n", 1, 1, "the file is empty"),
        ("a: [1, 2\n", 1, 4, "not YAML"),
        ("a: {b: 1\nc: 2\n", 2, 2, "not YAML"),
        ("a: b: c", 1, 5, "not YAML"),
        ("a: 'open", 1, 9, "not YAML"),
        ("a: @b", 1, 4, "not YAML"),
        ("a:\n\tb: 1", 2, 1, "a tab"),
        ("a:\n  b:\n  \tc: 1", 3, 3, "a tab"),
        ("a: 1\nb: 2\na: 3", 3, 1, "stands twice, first in line 1"),
        ("a: {b: 1, b: 2}", 1, 11, "stands twice, first in line 1"),
        ("a: !!python/object:os.system x", 1, 4, "a spec has no tags"),
        ("a: !include other.yaml", 1, 4, "a spec has no tags"),
        ("a: &x [1]\nb: *x", 2, 4, "a spec has no aliases"),
        ("b: *nowhere", 1, 4, "a spec has no aliases"),
        ("a: &x {b: *x}", 1, 11, "a spec has no aliases"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document starts here"),
        ("? [a, b]\n: 1", 1, 3, "a key must be a word"),
        ("a: .nan", 1, 4, ".nan is not a finite number"),
        ("a: [1, -.inf]", 1, 8, "-.inf is not a finite number"),
        ("a: 1e999", 1, 4, "1e999 is not a finite number"),
        ("a: \x07", 1, 4, "U+0007"),
        ("a: 1\nb: \u2028", 2, 4, "U+2028"),
        ("a: \ufeff", 1, 4, "U+FEFF"),
    ],
)
def test_fault_is_located(text: str, line: int, column: int, message: str) -> None:
    first, *_ = problems(text)
    assert (first.line, first.column) == (line, column)
    assert message in first.message


@pytest.mark.parametrize(
    "text",
    ["[" * 300_000, "{a: " * 100_000, "- " * 50_000 + "x", "a: " + "[" * 40 + "]" * 40, "? " * 5_000, "[{" * 20_000],
    ids=["brackets", "braces", "dashes", "forty", "question marks", "both"],
)
def test_deep_nesting_is_refused_and_does_not_overflow(text: str) -> None:
    (first,) = problems(text)
    assert "nested more than 32 levels deep" in first.message
    assert first.line == 1
    assert first.column >= 33


def test_a_file_as_deep_as_a_real_spec_is_read() -> None:
    assert problems("a: " + "[" * 20 + "]" * 20) == []


def test_an_anchor_bomb_is_refused_at_its_first_alias() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (first,) = problems("a0: &a0 [x, x]\n" + "\n".join(levels))
    assert (first.line, first.column) == (2, 10)
    assert first.message == "the alias *a0: a spec has no aliases"
    assert "`extends`" in first.hint


def test_all_faults_that_do_not_stop_the_reading_are_told() -> None:
    found = problems("a: .nan\na: 1\nb: !x y\n")
    assert [(one.line, one.key) for one in found] == [(1, "a"), (2, "a"), (3, "b")]


@pytest.mark.parametrize("raw", [b"a: \xff\n", b"\xff\xfea\x00:\x00", b"a: 1\nb: caf\xe9\n"])
def test_bytes_that_are_not_utf8(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecError, match="is not UTF-8") as caught:
        read(path)
    (problem,) = caught.value.problems
    assert problem.line == 1 + raw.startswith(b"a: 1")
    assert problem.column >= 1


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).data == {"a": 1}


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: " + b"x" * (1 << 20))
    with pytest.raises(SpecError, match="larger than 1 MiB"):
        read(path)


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path, message in ((pipe, "is not a file"), (tmp_path, "Is a directory"), (tmp_path / "no", "no such file")):
        with pytest.raises(SpecError, match=message):
            read(path)


def test_places() -> None:
    document: Document = parse("a:\n  b: [10, {c: dd}]\n", HERE, "x.yaml")
    assert document.mark(("a", "b", 0)) == (2, 7, 2)
    assert document.mark(("a", "b", 1, "c")) == (2, 15, 2)
    assert document.mark(("a", "b", 1, "c"), "key") == (2, 12, 1)
    assert document.mark(("a", "missing", "deeper")) == (1, 1, 1)
    assert document.written(("a", "b")) == "a list"
    assert document.written(("a", "b", 1, "c")) == "dd"


def test_a_problem_prints_its_line_with_the_fault_underlined() -> None:
    document = parse("a:\n  b: wrong  # why\n", HERE, "x.yaml")
    problem = document.problem(("a", "b"), "wrong is not right", allowed="right", hint="did you mean 'right'?")
    assert str(problem) == (
        "x.yaml:2:6: error: a.b: wrong is not right\n"
        "    2 |   b: wrong  # why\n"
        "      |      ^^^^^ did you mean 'right'?  (allowed: right)"
    )


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    document = parse('"a\\e[31m": "\\e]0;title\\a"\n', HERE, "x.yaml")
    key = next(iter(document.data))
    problem = document.problem((key,), f"{document.written((key,))} is not a number")
    assert str(problem).replace("\n", "").isprintable()
