"""The table as LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cggm_pipeline.report.missing import Grid
from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import WIDEST, Band, Column, columns, legend, pages, sources

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00a0": "~",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "²": r"\textsuperscript{2}",
    "µ": r"\textmu{}",
    "†": r"$\dagger$",
}


def latex(table: Table, protocol: Protocol, extra: Sequence[Grid] = ()) -> str:
    """`table` environments that need \\usepackage{booktabs} and UTF-8, ready to be \\input.

    The first is what the table claims; the second, where there are any, has the other metrics, as many beside each
    other as a page is wide; then one for each grid of `extra`.
    """
    shown = columns(table)
    notes = [f"* {row.label}: {text}." for row in table.rows for text in row.marks]
    cited = [f"{text}." for text in sources(table)]
    told = [f"{text}." for text in (legend(table),) if text]
    banners = [f"{banner}." for banner in table.banners]
    label = f"tab:{table.name.replace('_', '-').replace('/', '-')}"
    head = [" & ".join(escape(name) for name in ("method", *(column.name for column in shown))) + r" \\"]
    grid = _tabular(table, shown, head)
    lines = [
        r"% needs \usepackage{booktabs}",
        *_environment([*banners, f"{table.title}.", *notes, *cited, *told, f"{protocol.line}."], label, [grid]),
    ]
    parts = [_tabular(table, _columns(page), _head(page)) for page in pages(table)]
    if parts:
        caption = [*banners, f"{table.title}, other metrics on the test split."]
        lines += ["", *_environment(caption, f"{label}-others", parts)]
    for one in extra:
        caption = [*banners, f"{table.title}, {one.title[:1].lower()}{one.title[1:]}.", one.caption]
        lines += ["", *_environment(caption, f"{label}-{one.name.replace('_', '-')}", list(_pieces(one)))]
    return "\n".join([*lines, ""])


def _pieces(grid: Grid) -> Iterator[list[str]]:
    """A grid as tabulars below each other, each as wide as a page."""
    for first in range(0, len(grid.head), WIDEST):
        part = slice(first, first + WIDEST)
        head = " & ".join(map(escape, ("method", *grid.head[part]))) + r" \\"
        rows = [" & ".join(map(escape, (label, *texts[part]))) + r" \\" for label, texts in grid.rows]
        begin = rf"\begin{{tabular}}{{l{'r' * len(grid.head[part])}}}"
        yield [begin, r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]


def _environment(caption: Sequence[str], label: str, parts: Sequence[Sequence[str]]) -> list[str]:
    """Tabulars below each other with one caption."""
    body = [line for part in parts for line in (r"\par\bigskip", *part)][1:]
    head = [r"\begin{table}", r"\centering", rf"\caption{{{escape(' '.join(caption))}}}", rf"\label{{{label}}}"]
    return [*head, *body, r"\end{table}"]


def _tabular(table: Table, shown: Sequence[Column], head: Sequence[str]) -> list[str]:
    rows = [_row(row, shown) for row in table.rows]
    begin = rf"\begin{{tabular}}{{l{'r' * len(shown)}}}"
    return [begin, r"\toprule", *head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]


def _columns(page: Sequence[Band]) -> list[Column]:
    return [column for band in page for column in band.columns]


def _head(page: Sequence[Band]) -> list[str]:
    """The metrics' names over their columns, a rule below each, and what the columns are."""
    names, rules, first = [""], [], 2
    for band in page:
        last = first + len(band.columns) - 1
        names.append(rf"\multicolumn{{{len(band.columns)}}}{{c}}{{{escape(band.name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{last}}}")
        first = last + 1
    titles = ["method", *(column.name for column in _columns(page))]
    return [" & ".join(names) + r" \\", "".join(rules), " & ".join(titles) + r" \\"]


def escape(text: str) -> str:
    """Text in which LaTeX sees no command."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def _row(row: Row, shown: Sequence[Column]) -> str:
    label = escape(f"{row.label} *" if row.marks else row.label)
    if not row.ran:
        return rf"{label} & \multicolumn{{{len(shown)}}}{{l}}{{\emph{{{escape(row.note)}}}}} \\"
    return " & ".join([label, *(escape(column.entry(row).text) for column in shown)]) + r" \\"
