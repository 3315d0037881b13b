"""The printed forms: Markdown, CSV, LaTeX, terminal. Hostile labels do nothing in any of them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from rich.console import Console

from cggm_pipeline.report import protocol as protocols
from cggm_pipeline.report.delimited import COLUMNS, delimited
from cggm_pipeline.report.latex import escape as latex_escape
from cggm_pipeline.report.latex import latex
from cggm_pipeline.report.markdown import escape as markdown_escape
from cggm_pipeline.report.markdown import markdown
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.report.statistics import Difference, summarise
from cggm_pipeline.report.table import make
from cggm_pipeline.report.terminal import show
from cggm_pipeline.report.texts import difference, summary

from .test_table import CLAIMS


@pytest.fixture
def made(written):
    """The table and its protocol, one seed of one row failed."""
    written.fail("cggm-released", 1)
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    return table, protocols.make(material, table.metrics)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.9142, "91.4"),
        ("accuracy", -0.00001, "0.0"),
        ("mae", 0.71234, "0.712"),
        ("unheard_of", 1.5, "1.500"),
    ],
)
def test_numbers_as_printed(name, value, text):
    assert metric(name).text(value) == text


def test_signs_are_real_minus_signs():
    assert metric("accuracy").text(-0.012, signed=True) == "−1.2"
    assert difference(Difference(0.004, -0.001, 0.009, 5, "seeds"), metric("accuracy")) == "+0.4 [−0.1, +0.9]"


def test_one_seed_is_printed_without_a_spread():
    assert summary(summarise({0: 0.5}), metric("accuracy")) == "50.0"


def test_markdown_has_a_line_per_row_and_equal_columns(made):
    grid = markdown(*made).split("\n\n")[1].splitlines()
    assert len(grid) == 2 + 8
    assert len({line.replace("\\|", "").count("|") for line in grid}) == 1
    assert "CGGM (released) \\*" in markdown(*made)
    assert "1 of 5 seeds failed" in markdown(*made)


def test_a_number_published_for_another_metric_stands_beside_that_one(written):
    """A paper's table has several columns; the one that heads ours may be none of them."""
    column = "  Acc: {metric: accuracy, unit: percent, direction: higher}\n"
    text = CLAIMS.replace(column, "").replace("Acc: 99.9, F1: unknown", "F1: 88.8")
    written.put("specs/claims/cggm.yaml", text)
    written.published = {"cggm-paper": {"table": "cggm", "row": "CGGM"}}
    written.scores.clear()
    written.write()
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    first, others = markdown(table, protocols.make(material, table.metrics)).split("## Other metrics")
    assert "published" not in first.split("\n\n")[1]
    head, _, *rows = others.strip().splitlines()
    assert "Macro F1: published | Macro F1: verdict" in head
    (row,) = [line for line in rows if "CGGM (paper)" in line]
    assert "88.8 | not reproduced" in row


def test_csv_reads_back_with_every_metric_unrounded(made):
    table, protocol = made
    rows = list(csv.DictReader(io.StringIO(delimited(table, protocol))))
    assert len(rows) == 8 * 3
    assert tuple(rows[0]) == COLUMNS
    stable = next(row for row in rows if row["row"] == "cggm-stable" and row["metric"] == "accuracy")
    cell = table.cell(next(row for row in table.rows if row.slug == "cggm-stable"))
    assert float(stable["mean"]) == cell.summary.mean
    assert float(stable["low"]) == cell.difference.low
    assert stable["protocol"] == protocol.hash
    assert next(row for row in rows if row["row"] == "joint")["difference"] == ""


def test_a_label_is_no_formula_in_a_spreadsheet(written):
    written.rows["joint"] = ('=HYPERLINK("x")', {}, 1.0)
    written.scores.clear()
    written.write()
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    text = delimited(table, protocols.make(material, table.metrics))
    assert "'=HYPERLINK" in text


def tabulars(text: str) -> list[list[list[str]]]:
    r"""Of every tabular of LaTeX text the cells of every line, a \multicolumn as often as it is wide."""
    found = []
    for body in re.findall(r"\\begin\{tabular\}\{(.*?)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL):
        lines = [line.removesuffix(r" \\") for line in body[1].splitlines() if line.endswith(r" \\")]
        cells = [[wide for cell in re.split(r"(?<!\\)&", line) for wide in spread(cell.strip())] for line in lines]
        assert {len(line) for line in cells} == {len(body[0])}
        found.append(cells)
    return found


def spread(cell: str) -> list[str]:
    wide = re.fullmatch(r"\\multicolumn\{(\d)\}\{.\}\{(.*)\}", cell)
    return [wide[2]] * int(wide[1]) if wide else [cell]


def test_latex_has_the_rules_and_no_bare_special_character(made):
    text = latex(*made)
    first, others = text.split("\n\n")
    for part in (first, others):
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert part.count(rule) == 1
        body = part[part.index(r"\midrule") :]
        assert all(line.endswith(r" \\") for line in body.splitlines()[1:9])
    assert r"Accuracy [\%]" in first
    assert r"Macro F1 [\%]" in others
    assert "±" not in text
    assert "−" not in text


@pytest.fixture
def claimed(written):
    """A table with many metrics; two of those that do not head it have published numbers."""
    columns = "  Acc: {metric: accuracy, unit: percent, direction: higher}\n"
    more = columns.replace("Acc", "Acc-2").replace("accuracy", "acc2")
    more += "  Corr: {metric: corr, unit: one, direction: higher}\n"
    text = CLAIMS.replace(columns, columns + more).replace("Acc: 99.9,", "Acc: 99.9, Acc-2: 77.7, Corr: 0.71,")
    written.put("specs/claims/cggm.yaml", text)
    written.published = {"cggm-paper": {"table": "cggm", "row": "CGGM"}}
    written.scores.clear()
    written.write()
    for number, score in enumerate(written.scores):
        score["metrics"] |= {"acc2": 0.7 + number / 1000, "acc2_nonzero": 0.8, "corr": 0.9, "rmse": 1.0}
    written.put("runs/digits/evaluation/seeds.json", json.dumps(written.scores))
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    return table, protocols.make(material, table.metrics)


def test_latex_has_every_other_metric_with_its_convention_number_and_verdict(claimed):
    _, *others = tabulars(latex(*claimed))
    assert all(len(line) <= 1 + 6 for part in others for line in part)  # a page is not wider
    cells = {}
    for names, titles, *rows in others:
        for row in rows:
            cells |= {(row[0], *key): cell for *key, cell in zip(names[1:], titles[1:], row[1:], strict=True)}
    table, _ = claimed
    cited = next(row for row in table.rows if row.label == "CGGM (paper)")
    shown = {key[1:]: cell for key, cell in cells.items() if key[0] == f"{cited.label} *"}
    assert {name for name, _ in shown} == {latex_escape(metric.heading) for metric in table.metrics[1:]}
    assert shown[r"Acc-2 (zero negative) [\%]", "published"] == "77.7"
    assert shown[r"Acc-2 (zero negative) [\%]", "verdict"].startswith(("reproduced", "within", "not reproduced"))
    assert shown["Correlation", "ours"] == r"0.900 $\pm$ 0.000"
    assert shown["Correlation", "published"] == "0.71"
    assert (r"Acc-2 (zeros excluded) [\%]", "published") not in shown
    assert "CGGM (paper): published in Guo et al. 2024, Table 2, CGGM." in latex(*claimed)
    assert cells["Joint training", "Correlation", "published"] == ""


def test_the_terminal_shows_published_numbers_of_every_metric(claimed):
    text = io.StringIO()
    show(*claimed, Console(file=text, width=60))
    lines = text.getvalue().splitlines()
    (paper,) = [line for line in lines if "CGGM (paper)" in line and "99.9" in line]
    assert "published 99.9 · not reproduced" in paper
    at = lines.index("  Acc-2 (zero negative) [%]")
    assert re.fullmatch(r"    CGGM \(paper\)  \d\d\.\d ± \d\.\d   published 77\.7 · .+", lines[at + 1])
    assert "  Correlation" in lines
    assert "  Acc-2 (zeros excluded) [%]" not in lines


def test_markdown_has_published_numbers_of_every_metric(claimed):
    others = markdown(*claimed).split("## Other metrics")[1]
    assert "Acc-2 (zero negative): published | Acc-2 (zero negative): verdict" in others
    assert "77.7" in others


def test_escapes():
    assert latex_escape(r"a_b & 5% \input{x} $") == r"a\_b \& 5\% \textbackslash{}input\{x\} \$"
    assert markdown_escape("a|b <script> _x_") == r"a\|b \<script\> \_x\_"
    assert "\n" not in latex_escape("a\nb")


def test_terminal_lines_do_not_wrap(made):
    table, protocol = made
    text = io.StringIO()
    show(table, protocol, Console(file=text, width=60))
    lines = [line for line in text.getvalue().splitlines() if line]
    assert len(lines) == 3 + 8
    assert lines[-2].startswith("  † p < 0.05 after Holm's correction over the 7 rows")
    assert any("unimodal losses" in line and line.rstrip().endswith("†") for line in lines)
    assert lines[0].startswith(
        "  Two-view digits · test accuracy [%], mean ± sd over 5 seeds · paired difference to Joint"
    )
    assert any("CGGM (paper)" in line and "B < 0 in 48 % of steps" in line for line in lines)
    assert lines[-1].startswith(
        f"  protocol {protocol.hash}: split 1,078 train / 270 valid / 240 test, 20 epochs, batch 64"
    )


def test_a_label_is_no_markup_on_the_terminal(written):
    written.rows["joint"] = ("[red]Joint[/red]", {}, 1.0)
    written.scores.clear()
    written.write()
    material = gather(read_table("digits", written.root), written.root)
    table = make(material)
    text = io.StringIO()
    show(table, protocols.make(material, table.metrics), Console(file=text))
    assert "[red]Joint[/red]" in text.getvalue()
