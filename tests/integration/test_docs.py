"""Every Python example of README.md and docs/ runs, in the order of its file.

A block after the comment `<!-- not executed -->` is left out. It runs in a folder with the project's specs
and the prepared digits.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm

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


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project's specs and the prepared digits: what the examples take for granted."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "specs", folder / "specs")
    with contextlib.chdir(folder):
        result = CliRunner().invoke(cggm, ["prepare", "digits"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize("file", WITH_EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_examples_run(file, project, tmp_path, monkeypatch):
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
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
