"""What the documents point to is there: files, anchors, tests by name, and the commands of the program."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from cggm_pipeline.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
MANUALS = [path for path in DOCUMENTS if "benchmarks" not in path.parts]
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
PLACE = re.compile(r"(?:tests|docs|benchmarks|cggm_pipeline|stages|specs)/[\w./-]*\.(?:py|md|yaml|csv|json|png)")
TEST = re.compile(r"(?:[\w/]+/)?(test_\w+\.py)(?:::(test_\w+))?")
EXAMPLES = re.compile(r"specs/(?:datasets/(?:tumours|mosi)|resolved/package|splits/NAME)|/(?:KIND|ROOM|NAME)\b")
"""Files that a document makes, or that stand for any name."""


def without_fences(text: str) -> str:
    return FENCE.sub("", text)


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    kept = (c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


@cache
def anchors(path: Path) -> frozenset[str]:
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", without_fences(path.read_text(encoding="utf-8")), re.MULTILINE)
    return frozenset(map(slug, headings))


@cache
def sources_of_tests() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


def dead_links(document: Path) -> list[str]:
    dead = []
    for found in LINK.finditer(without_fences(document.read_text(encoding="utf-8"))):
        target = found[1] or found[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    assert dead_links(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_tests_that_are_named_exist(document: Path) -> None:
    missing = []
    for code in CODE.findall(without_fences(document.read_text(encoding="utf-8"))):
        if EXAMPLES.search(code):
            continue
        missing += [place for place in PLACE.findall(code) if not (ROOT / place).is_file()]
        for file, function in TEST.findall(code):
            if file not in sources_of_tests() or (function and f"def {function}(" not in sources_of_tests()[file]):
                missing.append(f"{file}::{function}")
    assert missing == []


@pytest.mark.parametrize("document", MANUALS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^\$ |^)cggm ([a-z]+)\b", text, re.MULTILINE)
    assert set(named) <= set(COMMANDS)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_every_room_has_its_line() -> None:
    rooms = (ROOT / "docs/rooms.md").read_text(encoding="utf-8")
    members = [path for path in (ROOT / "cggm_pipeline").iterdir() if not path.name.startswith("_")]
    names = [f"{path.name}/" if path.is_dir() else path.name for path in members if path.suffix in ("", ".py")]
    assert [name for name in names if f"| `{name}`" not in rooms] == []


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# A `thing`, whole\n\n```\n# no heading\n```\n")
    (tmp_path / "a.md").write_text(
        "[x](b.md#a-thing-whole) [y](b.md#no-heading) [z](c.md) [w](https://x.org) ![p](p.png)\n```\n[n](n.md)\n```\n"
    )
    assert dead_links(tmp_path / "a.md") == ["b.md#no-heading", "c.md", "p.png"]
