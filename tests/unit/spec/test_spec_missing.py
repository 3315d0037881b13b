"""Missing patterns, missing rates, cases of claims and composites in specs: what is refused, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from cggm_pipeline.cli import cggm
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import table_record
from cggm_pipeline.pipeline.sections import evaluate_sections, train_sections
from cggm_pipeline.spec import Project, load_experiment, load_table
from cggm_pipeline.spec.claims import Claims
from cggm_pipeline.spec.load import read
from cggm_pipeline.spec.patterns import Fixed, Incomplete, Missing, Natural, Rate
from cggm_pipeline.spec.resolved import dump

if TYPE_CHECKING:
    from conftest import Desk


def told(problems: list[Any]) -> list[str]:
    return [" | ".join(filter(None, (p.key, p.message, p.allowed, p.hint))) for p in problems]


def missing(desk: Desk, text: str) -> list[str]:
    """The problems of the good experiment, of audio and text, with this `missing`."""
    return told(desk.experiment("fusion:", f"missing: {text}\nfusion:"))


# Patterns


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{train: {kind: natural}}",
        "{train: {kind: rate, rate: 0.0}, redraw: true}",
        "{train: {kind: rate, rate: 0.7}, valid: {kind: rate, rate: {audio: 0.99}}, test: {kind: rate, rate: {}}}",
        "{train: {kind: incomplete, share: 1}, redraw: true}",
        "{test: {kind: fixed, kept: [[audio]]}}",
        "{train: {kind: fixed, kept: [[audio], [text, audio]], shares: [0.3, 0.7]}, redraw: true}",
    ],
)
def test_what_fits(desk: Desk, text: str) -> None:
    assert missing(desk, text) == []


FAULTS = {
    # types and ranges
    "{train: {kind: rte, rate: 0.3}}": "missing.train.kind | 'rte' is not a kind of train | "
    "natural, rate, incomplete, fixed | did you mean 'rate'?",
    "{train: rate}": "missing.train | rate is not a mapping with kind: natural | rate | incomplete | fixed | "
    "write {kind: rate}",
    "{tran: {kind: natural}}": "missing.tran | not a parameter of missing | train, valid, test, redraw | "
    "did you mean 'train'?",
    "{train: {kind: rate}}": "missing.train | 'rate' is missing | a number in [0, 1) or a mapping | add rate:",
    "{train: {kind: rate, rate: 1.0}}": "missing.train.rate | 1.0 is not a number in [0, 1) or a mapping",
    "{train: {kind: rate, rate: -0.1}}": "missing.train.rate | -0.1 is not a number in [0, 1) or a mapping",
    "{train: {kind: rate, rate: [0.5]}}": "missing.train.rate | a list is not a number in [0, 1) or a mapping",
    "{train: {kind: rate, rate: {audio: 1.5}}}": "missing.train.rate.audio | 1.5 is not a number in [0, 1)",
    "{train: {kind: rate, rate: {Audio: 0.5}}}": "missing.train.rate.Audio | 'Audio' is not a name | "
    "lower-case letters and digits, a letter first, single - or _ between; at most 64 | for example 'audio'",
    "{valid: {kind: incomplete, share: 1.1}}": "missing.valid.share | 1.1 is more than 1 | a number in [0, 1]",
    "{test: {kind: fixed, kept: []}}": "missing.test.kept | a list has too few items | at least 1 and at most 1000",
    "{test: {kind: fixed, kept: [[]]}}": "missing.test.kept.0 | a list has too few items | at least 1 and at most 100",
    "{test: {kind: fixed, kept: [[audio], [text]], shares: [1.0, 0.0]}}": "missing.test.shares.1 | "
    "0.0 is not a positive number",
    # against the modalities in use
    "{train: {kind: rate, rate: {adio: 0.5}}}": "missing.train.rate.adio | there is no modality 'adio' in use | "
    "audio, text | did you mean 'audio'?",
    "{test: {kind: fixed, kept: [[audio], [vision]]}}": "missing.test.kept.1.0 | "
    "there is no modality 'vision' in use | audio, text",
    # subsets and shares
    "{test: {kind: fixed, kept: [[audio, audio]]}}": "missing.test.kept.0.1 | the modality audio stands twice | "
    "remove one of them",
    "{test: {kind: fixed, kept: [[audio, text], [text, audio]]}}": "missing.test.kept.1 | "
    "the subset {audio, text} stands twice | remove one of them",
    "{test: {kind: fixed, kept: [[audio], [text]], shares: [1.0]}}": "missing.test.shares | 1 shares for 2 subsets | "
    "2 of them, or null: equal",
    "{test: {kind: fixed, kept: [[audio], [text]], shares: [0.5, 0.6]}}": "missing.test.shares | "
    "the shares add up to 1.1 | numbers that add up to 1, or null: equal",
    # what nothing would read
    "{redraw: true}": "missing.redraw | the training split's pattern, natural, draws nothing that could be drawn anew"
    " | false",
    "{train: {kind: fixed, kept: [[audio]]}, redraw: true}": "missing.redraw | the training split's pattern, fixed, "
    "draws nothing that could be drawn anew | false",
}


@pytest.mark.parametrize(("text", "said"), FAULTS.items(), ids=FAULTS)
def test_every_kind_of_fault_is_found_with_its_place(desk: Desk, text: str, said: str) -> None:
    assert missing(desk, text) == [said]


def test_validate_shows_the_line_and_all_faults_at_once(desk: Desk) -> None:
    text = (
        "missing: {train: {kind: rate, rate: {adio: 0.5}}, test: {kind: fixed, kept: [[txt]]}, redraw: true}\nfusion:"
    )
    path = desk.write("experiments/x.yaml", desk.good.replace("fusion:", text))
    result = CliRunner().invoke(cggm, ["validate", str(path)])
    assert result.exit_code == 1
    said = result.output
    assert "x.yaml:7:38: error: missing.train.rate.adio: there is no modality 'adio' in use" in said
    assert "missing.test.kept.0.0: there is no modality 'txt' in use" in said
    assert "1 with 2 errors" in said


@pytest.mark.parametrize(
    "pattern", ["{kind: rate, rate: 0.5}", "{kind: incomplete, share: 0.7}", "{kind: fixed, kept: [[audio]]}"]
)
def test_a_modality_alone_is_never_missing(desk: Desk, pattern: str) -> None:
    alone = desk.good.replace("fusion:", f"use: [audio]\nmissing: {{train: {pattern}}}\nfusion:")
    alone = alone.replace("modulation: {kind: cggm, preset: paper}\n", "")
    (said,) = told(desk.problems("experiments/x.yaml", alone))
    kind = pattern.split()[1].strip(",")
    assert said == (
        f"missing.train.kind | {kind} takes no sample's last modality, and one is in use: it would do nothing | "
        "use kind: natural"
    )


def test_subsets_of_very_many_modalities_are_refused() -> None:
    from cggm_pipeline.spec.check_missing import check_missing
    from cggm_pipeline.spec.sections import Sections

    pattern = Missing(train=Incomplete(kind="incomplete", share=0.5))
    names = [f"m{index}" for index in range(33)]
    (found,) = check_missing(Sections(modalities=dict.fromkeys(names), missing=pattern))
    assert (found.path, found.message) == (
        ("missing", "train", "kind"),
        "incomplete is defined for 32 modalities at most, 33 are in use",
    )
    assert not list(check_missing(Sections(modalities=dict.fromkeys(names[:32]), missing=pattern)))


def test_a_row_can_take_the_bases_pattern_back(desk: Desk) -> None:
    """Mappings of another kind replace one another whole."""
    base = desk.good.replace("fusion:", "missing: {train: {kind: rate, rate: 0.5}}\nfusion:")
    desk.write("experiments/cggm.yaml", base)
    rows = "  Joint: {modulation: {kind: none}}\n"
    row = "  Audio: {use: [audio], modulation: {kind: none}, missing: {train: {kind: natural}}}\n"
    assert told(desk.table(rows, rows + row)) == []
    missed = desk.table(rows, rows + row.replace(", missing: {train: {kind: natural}}", ""))
    assert ["it would do nothing" in problem.message for problem in missed] == [True]


def test_what_is_resolved_is_read_again(desk: Desk) -> None:
    text = "missing: {train: {kind: rate, rate: {audio: 0.5}}, test: {kind: fixed, kept: [[text], [audio]]}}\nfusion:"
    path = desk.write("experiments/x.yaml", desk.good.replace("fusion:", text))
    spec = load_experiment(path, Project(desk.root)).spec
    assert spec.missing == Missing(
        train=Rate(kind="rate", rate={"audio": 0.5}), test=Fixed(kind="fixed", kept=(("text",), ("audio",)))
    )
    assert type(spec).model_validate(yaml.safe_load(dump(spec))).missing == spec.missing


def test_patterns_are_tracked_by_what_they_change(desk: Desk) -> None:
    spec = load_experiment(desk.write("experiments/x.yaml", desk.good), Project(desk.root)).spec
    assert spec.missing == Missing(train=Natural(), valid=Natural(), test=Natural(), redraw=False)
    assert "missing" in train_sections(spec)
    assert {"missing", "evaluation"} <= set(evaluate_sections(spec))


# Rates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[0.0, 0.3, 0.9]", []),
        ("[0.3, 0.5, 0.3]", ["evaluation.missing_rates.2 | the rate 0.3 stands twice | remove one of them"]),
        ("[1.0]", ["evaluation.missing_rates.0 | 1.0 is not a number in [0, 1)"]),
        ("0.3", ["evaluation.missing_rates | 0.3 is not a list, each item a number in [0, 1)"]),
    ],
)
def test_missing_rates(desk: Desk, text: str, said: list[str]) -> None:
    assert told(desk.experiment("fusion:", f"evaluation: {{missing_rates: {text}}}\nfusion:")) == said


# Claims


CLAIMS = """\
version: 1
kind: claims
paper: Guo et al., ACL 2024
table: Table 1
dataset: CMU-MOSI
source: [the paper]
status: read
columns:
  a: {metric: accuracy, modalities: [audio], unit: percent, direction: higher}
  at: {metric: accuracy, modalities: [audio, text], unit: percent, direction: higher}
  avg: {metric: accuracy, modalities: incomplete, unit: percent, direction: higher}
  all: {metric: accuracy, unit: percent, direction: higher}
rows:
  LB: {a: 48.32, at: 78.67, avg: 64.21, all: unknown}
  Ours: {a: 62.71, at: 80.76, avg: 72.14, all: 81.4}
"""


def test_the_complete_splits_number_is_never_that_of_a_case(desk: Desk) -> None:
    assert told(desk.problems("claims/mplmm.yaml", CLAIMS)) == []
    claims = Claims.model_validate(read(desk.write("claims/mplmm.yaml", CLAIMS)).data)
    assert claims.columns["a"].modalities == ("audio",)
    assert claims.columns["avg"].modalities == "incomplete"
    column, number = claims.value("Ours", "accuracy") or pytest.fail("the number is there")
    assert (column.modalities, number) == (None, 81.4)
    assert claims.value("LB", "accuracy") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[audio, text]", "[audio, audio]", "columns.at.modalities.1 | the modality audio stands twice"),
        ("[audio, text]", "[]", "columns.at.modalities | a list has too few items"),
        ("incomplete", "incomplet", "columns.avg.modalities | incomplet is not a list, each item a name or incomplete"),
    ],
)
def test_cases_that_are_none(desk: Desk, old: str, new: str, said: str) -> None:
    (found,) = told(desk.problems("claims/mplmm.yaml", CLAIMS.replace(old, new, 1)))
    assert found.startswith(said)


def test_a_case_of_a_modality_that_the_experiment_lacks_would_never_be_compared(desk: Desk) -> None:
    row = "  CGGM: {published: {table: mplmm, row: Ours}}"
    desk.write("claims/mplmm.yaml", CLAIMS)
    assert told(desk.table("  CGGM: {}", row)) == []
    desk.write("claims/mplmm.yaml", CLAIMS.replace("[audio, text]", "[audio, txt]"))
    assert told(desk.table("  CGGM: {}", row)) == [
        "rows.CGGM.published | 'mplmm' has numbers for a modality 'txt' | audio, text | did you mean 'text'?"
    ]


# Composites


MEMBERS = """\
  Joint: {modulation: {kind: none}}
  Audio: {use: [audio], modulation: {kind: none}}
  Text: {use: [text], modulation: {kind: none}}
composites:
"""


def composed(desk: Desk, *composites: str) -> list[str]:
    desk.write("claims/mplmm.yaml", CLAIMS)
    text = MEMBERS + "".join(f"  {one}\n" for one in composites)
    return told(desk.table("  Joint: {modulation: {kind: none}}\n  CGGM: {}\n", text))


def test_rows_of_different_modalities_make_one(desk: Desk) -> None:
    cited = "LB: {rows: [Audio, Text, Joint], published: {table: mplmm, row: LB}}"
    assert composed(desk, cited, "Alone: {rows: [Text]}") == []
    table = load_table(desk.root / "specs/tables/mosi.yaml", Project(desk.root))
    assert table.spec.composites["LB"].rows == ("Audio", "Text", "Joint")
    (made,) = (one for one in read_documents(Project(desk.root)).tables if one.name == "mosi")
    records = table_record(made)["rows"]
    number = {"table": "mplmm", "row": "LB"}
    assert {slug: record.get("part_of") for slug, record in records.items()} == {
        "joint": {"LB": number},
        "audio": {"LB": number},
        "text": {"LB": number, "Alone": None},
    }


def test_a_table_without_composites_is_resolved_as_before(desk: Desk) -> None:
    desk.table("version: 1", "version: 1")
    for made in read_documents(Project(desk.root)).tables:
        assert all(list(record) == ["label", "published"] for record in table_record(made)["rows"].values())


def faults() -> Iterator[tuple[str, str]]:
    yield (
        "LB: {rows: [Audio, Txt]}",
        "composites.LB.rows.1 | there is no row 'Txt' | Joint, Audio, Text | did you mean 'Text'?",
    )
    yield "LB: {rows: [Audio, Audio]}", "composites.LB.rows.1 | the row 'Audio' stands twice | remove one of them"
    yield "LB: {rows: []}", "composites.LB.rows | a list has too few items | at least 1 and at most 1000"
    yield "LB: {}", "composites.LB | 'rows' is missing | a list, each item text | add rows:"
    yield (
        "Joint: {rows: [Audio]}",
        ("composites.Joint | shares the files 'joint' with 'Joint' | labels that differ in a letter or digit"),
    )
    yield (
        "LB: {rows: [Audio], published: {table: mplm, row: LB}}",
        ("composites.LB.published.table | there is no specs/claims/mplm.yaml | mplmm | did you mean 'mplmm'?"),
    )
    yield (
        "LB: {rows: [Audio], published: {table: mplmm, row: LP}}",
        ("composites.LB.published.row | 'mplmm' has no row 'LP' | LB, Ours"),
    )


@pytest.mark.parametrize(("composite", "said"), list(faults()))
def test_what_is_no_composite(desk: Desk, composite: str, said: str) -> None:
    assert composed(desk, composite) == [said]


def test_two_models_for_one_case_are_refused(desk: Desk) -> None:
    again = MEMBERS.replace("composites:", "  Audio again: {use: [audio], modulation: {kind: none}}\ncomposites:")
    text = again + "  LB: {rows: [Audio, Text, Audio again]}\n"
    assert told(desk.table("  Joint: {modulation: {kind: none}}\n  CGGM: {}\n", text)) == [
        "composites.LB.rows.2 | 'Audio again' uses the same modalities as 'Audio': audio | "
        "one row for each set of modalities"
    ]
