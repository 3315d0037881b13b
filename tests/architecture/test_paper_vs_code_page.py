"""docs/paper-vs-code.md: every known difference has its row, and every row names a test or a spec that shows it.

That the files, tests and specs exist is asked of all documents by test_links.py; here also that spec keys are there.
"""

from __future__ import annotations

import re
import string

import pytest
from test_links import PLACE, ROOT, TEST

PAGE = (ROOT / "docs/paper-vs-code.md").read_text(encoding="utf-8")
KNOWN = string.ascii_lowercase[: string.ascii_lowercase.index("u") + 1]


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables between a heading (or the line that starts so) and the next heading."""
    section = re.split(r"^#+ ", PAGE.partition(heading)[2], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_known_difference_has_its_row() -> None:
    letters = [cells[0] for cells in rows("### Everything that is known, a to u") if len(cells[0]) == 1]
    assert "".join(letters) == KNOWN


@pytest.mark.parametrize("cells", rows("### Everything that is known, a to u"), ids=lambda cells: cells[0])
def test_every_row_names_what_shows_it(cells: list[str]) -> None:
    assert len(cells) == 5
    assert all(cells)
    shown = cells[-1]
    assert PLACE.search(shown) or TEST.search(shown), shown


def test_what_cannot_be_reproduced_is_said() -> None:
    assert "### What cannot be reproduced, and why" in PAGE
