"""The table as LaTeX, with the rules of booktabs."""

from __future__ import annotations

from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Row, Table
from cggm_pipeline.report.texts import Column, columns

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
}


def latex(table: Table, protocol: Protocol) -> str:
    """A `table` environment that needs \\usepackage{booktabs} and UTF-8, ready to be \\input."""
    shown = columns(table)
    notes = [f"{row.label}: {text}." for row in table.rows for text in row.marks]
    caption = " ".join([*(f"{banner}." for banner in table.banners), f"{table.title}.", *notes, f"{protocol.line}."])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\label{{tab:{table.name.replace('_', '-').replace('/', '-')}}}",
            rf"\begin{{tabular}}{{l{'r' * len(shown)}}}",
            r"\toprule",
            " & ".join(escape(name) for name in ("method", *(column.name for column in shown))) + r" \\",
            r"\midrule",
            *(_row(row, shown) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text in which LaTeX sees no command."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def _row(row: Row, shown: list[Column]) -> str:
    label = escape(f"{row.label} *" if row.marks else row.label)
    if not row.ran:
        return rf"{label} & \multicolumn{{{len(shown)}}}{{l}}{{\emph{{{escape(row.note)}}}}} \\"
    return " & ".join([label, *(escape(column.entry(row).text) for column in shown)]) + r" \\"
