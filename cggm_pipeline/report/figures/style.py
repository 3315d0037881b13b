"""How the report draws: one palette, one size of panel, and SVG text that is the same from run to run."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

BASELINE = "#1f2933"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#999933", "#5b4db1", "#44aa99")
"""Okabe and Ito's colours without yellow, and four of Tol's muted ones: told apart with any colour vision."""
DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))
LONGEST = 26
"""Characters of a label in a drawing; the page's tables and legends show all of it."""
INK, FAINT = "#3d4852", "#c9d1d9"
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ecf0",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Look:
    """How one row is drawn in every figure."""

    label: str
    colour: str
    dash: Any = "solid"
    width: float = 1.6

    @property
    def short(self) -> str:
        """The label, cut so that it leaves room for the drawing."""
        return short(self.label)


@dataclass(frozen=True)
class Panel:
    """One drawing: a whole <svg> element, and what a person who cannot see it should be told."""

    svg: str
    alt: str


@dataclass(frozen=True)
class Figure:
    """Panels under one title. `caption` says how to read them; `key`: the rows that appear, for the legend."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    key: tuple[Look, ...] = ()
    columns: int = 2


def short(text: str) -> str:
    """At most `LONGEST` characters on one line, what was cut shown by an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def looks(slugs: Sequence[str], labels: Sequence[str], baseline: str | None) -> dict[str, Look]:
    """A look for every row: the baseline dark and wide, the others by their place in the table."""
    found, number = {}, 0
    for slug, label in zip(slugs, labels, strict=True):
        if slug == baseline:
            found[slug] = Look(label, BASELINE, "solid", 2.2)
            continue
        dash = DASHES[number // len(PALETTE) % len(DASHES)]
        found[slug] = Look(label, PALETTE[number % len(PALETTE)], dash)
        number += 1
    return found


def width_of(panels: int) -> float:
    """Inches of a panel that shares its line with others, so that its text is as large as theirs on the page."""
    return 4.4 if panels < 3 else 3.7


def panel(name: str, alt: str, draw: Callable[[Axes], None], *, width: float = 4.6, height: float = 2.9) -> Panel:
    """A panel of `width` x `height` inches, drawn by `draw(axes)`. `name` makes the ids of its elements its own."""
    with matplotlib.rc_context({**_RC, "svg.hashsalt": name}), warnings.catch_warnings():  # type: ignore[dict-item]
        # the page's reader has another font than the one that is measured here
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        canvas = Canvas(figsize=(width, height), layout="constrained")
        draw(canvas.subplots())
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Panel(_inline(text.getvalue(), name), alt)


def _inline(svg: str, name: str) -> str:
    """The <svg> element alone, as wide as its column, its ids not to be mistaken for another figure's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 width="100%"', svg, count=1)
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    return svg.strip()
