"""The table as LaTeX, with the rules of booktabs."""

from __future__ import annotations

from cggm_pipeline.report.protocol import Protocol
from cggm_pipeline.report.table import Table
from cggm_pipeline.report.texts import Line, header, lines

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
    head = header(table)
    columns = "l" + "r" * (len(head) - 1)
    body = [_row(line, len(head)) for line in lines(table)]
    notes = [f"{row.label}: {text}." for row in table.rows for text in row.marks]
    caption = " ".join([f"{table.title}.", *notes, f"{protocol.line}."])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\label{{tab:{table.name.replace('_', '-').replace('/', '-')}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(escape(cell) for cell in head) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text in which LaTeX sees no command."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def _row(line: Line, width: int) -> str:
    cells = [escape(cell) for cell in line.cells]
    if line.note:
        return rf"{cells[0]} & \multicolumn{{{width - 1}}}{{l}}{{\emph{{{escape(line.note)}}}}} \\"
    return " & ".join(cells) + r" \\"
