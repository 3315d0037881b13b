"""A ranking's files and its lines on the terminal: what `stages/rank.py` and `cggm rank` call."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from cggm_pipeline.report.figures.ranks import diagram
from cggm_pipeline.report.markdown import escape
from cggm_pipeline.report.ranking import Ranking, make
from cggm_pipeline.report.ranks import ALPHA, PERMUTATIONS
from cggm_pipeline.whole import write_whole

SVG = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACES = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def rank(name: str, root: Path, console: Console | None = None) -> Path:
    """Write runs/rankings/NAME/{ranking.md, .csv, .svg, .html} and print the ranking; returns the page's path.

    Reads specs/resolved/rankings/ and the tables' metrics.json. SpecError and DataError say what is missing.
    """
    ranking = make(name, root)
    drawn = diagram(ranking)
    folder = root / "runs" / "rankings" / name
    texts = {
        "ranking.md": markdown(ranking),
        "ranking.csv": delimited(ranking),
        "ranking.svg": SVG + drawn.svg.replace("<svg", NAMESPACES, 1) + "\n",
        "ranking.html": html(ranking, drawn.svg, drawn.alt),
    }
    for file, text in texts.items():
        write_whole(folder / file, text)
    show(ranking, console or Console())
    return folder / "ranking.html"


def sentences(ranking: Ranking) -> list[str]:
    """What the ranks say, and how little they can say."""
    k, n, cd = len(ranking.methods), len(ranking.columns), ranking.difference
    said = [f"{k} methods on {n} data sets; critical difference of average ranks (Nemenyi, p < {ALPHA}): {cd:.2f}."]
    found = ranking.friedman
    if found is not None:
        decided = "the methods are not all equal" if found.p < ALPHA else "no sign that any method differs"
        said.append(f"Friedman: chi2 = {found.chi2:.2f}, p = {found.p:.2g} ({PERMUTATIONS:,} permutations): {decided}.")
    if n < ranking.least:
        said.append(
            f"{n} data sets are too few for any difference: even first against last everywhere ({k - 1} ranks) is less "
            f"than the critical difference; with {k} methods it takes {ranking.least} data sets or more."
        )
    else:
        said.append(_told_apart(ranking))
    return said + [f"Not ranked: {label} ({why})." for label, why in ranking.left_out.items()]


def _told_apart(ranking: Ranking) -> str:
    best, difference = ranking.methods[0], ranking.difference
    worse = [one.label for one in ranking.methods if one.rank - best.rank > difference]
    if not worse:
        return f"No method is told apart from the best ranked, {best.label}."
    return f"Told apart from the best ranked, {best.label}: {', '.join(worse)}."


def markdown(ranking: Ranking) -> str:
    """The ranking as Markdown: average ranks, and per table rank and mean."""
    head = ["method", "average rank", *(f"{column.title}: {column.metric.heading}" for column in ranking.columns)]
    rule = "|" + "|".join([":---", *["---:"] * (len(head) - 1)]) + "|"
    lines = ["| " + " | ".join(map(escape, cells)) + " |" for cells in (head, *_cells(ranking))]
    grid = "\n".join([lines[0], rule, *lines[1:]])
    banners = [f"> **{escape(banner)}**" for banner in ranking.banners]
    said = "\n".join(f"- {escape(sentence)}" for sentence in sentences(ranking))
    parts = [
        f"# {escape(ranking.title)}",
        *banners,
        grid,
        "Beside each mean its rank.",
        said,
        "![Average ranks](ranking.svg)",
    ]
    return "\n\n".join(parts) + "\n"


def delimited(ranking: Ranking) -> str:
    """One line per method and table; numbers as stored."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["row", "label", "average_rank", "table", "metric", "rank", "mean", "critical_difference", "banner"]
    )
    banner = "; ".join(ranking.banners)
    for method in ranking.methods:
        label = f"'{method.label}" if method.label[:1] in "=+-@" else method.label
        for column, place, mean in zip(ranking.columns, method.ranks, method.means, strict=True):
            where = [column.table, column.metric.name, repr(place), "" if mean != mean else repr(float(mean))]
            writer.writerow([method.slug, label, repr(method.rank), *where, repr(ranking.difference), banner])
    return text.getvalue()


def html(ranking: Ranking, svg: str, alt: str) -> str:
    """The page: no script, no font, no address."""
    loader = PackageLoader("cggm_pipeline.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = loader.get_source(environment, "report.css")[0]
    text: str = environment.get_template("ranking.html.j2").render(
        ranking=ranking,
        style=Markup(style),
        svg=Markup(svg),
        alt=alt,
        said=sentences(ranking),
        head=["average rank", *(f"{column.title}: {column.metric.heading}" for column in ranking.columns)],
        rows=_cells(ranking),
    )
    return text


def show(ranking: Ranking, console: Console) -> None:
    """Average rank, label and the ranks in each table, a line a method; lines never wrap."""

    def say(line: str, style: str = "") -> None:
        console.print(Text(line, style=style), soft_wrap=True, highlight=False)

    for banner in ranking.banners:
        say(f"  {banner}", "bold yellow")
    say(
        f"  {ranking.title} · average rank, then rank and mean in {', '.join(c.table for c in ranking.columns)}", "bold"
    )
    cells = _cells(ranking)
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    for row in cells:
        rest = "   ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        say(f"    {row[0]:<{widths[0]}}  {rest}".rstrip())
    for sentence in sentences(ranking):
        say(f"  {sentence}", "dim")


def _cells(ranking: Ranking) -> list[list[str]]:
    return [
        [
            method.label,
            f"{method.rank:.2f}",
            *(
                f"{'failed' if mean != mean else column.metric.text(mean)} ({place:g})"
                for column, place, mean in zip(ranking.columns, method.ranks, method.means, strict=True)
            ),
        ]
        for method in ranking.methods
    ]
