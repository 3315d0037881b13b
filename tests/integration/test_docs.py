"""Every Python example of README.md and docs/ runs, in the order of its file and in an empty folder.

A block after the comment `<!-- not executed -->` is left out. The folder holds a copy of the project's specs.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SKIPPED = "<!-- not executed -->"
OWN_TEST = {"docs/data.md": "tests/unit/data/test_data_docs.py"}  # these run commands and documents as well
FILES = sorted([*ROOT.glob("README.md"), *ROOT.glob("docs/**/*.md")])


def examples(text: str) -> list[tuple[int, str]]:
    """(line, code) of the blocks of a Markdown text that are to run."""
    return [
        (text.count("\n", 0, match.start("code")) + 1, match["code"])
        for match in BLOCK.finditer("\n" + text)
        if SKIPPED not in match["before"]
    ]


WITH_EXAMPLES = [file for file in FILES if str(file.relative_to(ROOT)) not in OWN_TEST and examples(file.read_text())]


@pytest.mark.parametrize("file", WITH_EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_examples_run(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if (ROOT / "specs").is_dir():  # examples load specs by their path in the project
        shutil.copytree(ROOT / "specs", tmp_path / "specs")
    namespace = {"__name__": "__main__"}
    for line, code in examples(file.read_text()):
        padded = "\n" * (line - 2) + code  # a traceback then names the line of the document
        exec(compile(padded, str(file), "exec"), namespace)  # noqa: S102


@pytest.mark.parametrize(("document", "test"), OWN_TEST.items())
def test_the_others_have_a_test_of_their_own(document, test):
    assert Path(document).name in (ROOT / test).read_text()


def test_the_library_is_documented_by_examples():
    assert ROOT / "docs" / "modulations.md" in WITH_EXAMPLES


def test_blocks_are_found_and_left_out():
    first, left_out = "a\n```python\nx = 1\n```\n", f"\n{SKIPPED}\n```python\nboom\n```\n"
    text = f"{first}{left_out}```console\n$ x\n```\n```python\nx += 1\n```\n"
    assert [code for _, code in examples(text)] == ["x = 1\n", "x += 1\n"]
