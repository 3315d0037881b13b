"""`cggm list` and `cggm explain` as a user meets them, every kind included."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.build.rooms import UNIONS, specs
from cggm_pipeline.cli import cggm
from cggm_pipeline.errors import CggmError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cggm, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("room", UNIONS)
def test_a_pipe_gets_one_kind_per_line(room: str) -> None:
    assert run("list", room).split("\n") == [*specs(room), ""]


def test_without_a_room_the_rooms_are_listed() -> None:
    assert run("list").split() == list(UNIONS)


@pytest.mark.parametrize(("room", "kind"), [(room, kind) for room in UNIONS for kind in specs(room)])
def test_every_kind_is_explained_with_every_parameter(room: str, kind: str) -> None:
    text = run("explain", f"{room}/{kind}")
    assert text.startswith(f"{kind} · {room} · ")
    for field in specs(room)[kind].model_fields:
        assert field == "kind" or f" {field} " in text
    assert all(len(line) < 160 for line in text.split("\n"))


@pytest.mark.parametrize(("room", "kind"), [(room, kind) for room in UNIONS for kind in specs(room)])
def test_every_parameter_has_words(room: str, kind: str) -> None:
    for name, field in specs(room)[kind].model_fields.items():
        assert name == "kind" or field.description, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("training", ("batch_size", "samples per optimiser step")),
        ("documents/claims", ("source", "where the numbers were read")),
        ("early_stopping", ("patience", "required")),
        ("table", ("table · sources", "table · documents")),
    ],
)
def test_documents_and_their_sections_are_explained_too(name: str, words: tuple[str, ...]) -> None:
    text = run("explain", name)
    assert all(word in text for word in words)


@pytest.mark.parametrize(
    ("kind", "read"),
    [("transforms/tokenise", "text"), ("encoders/text", "token ids (T)"), ("encoders/smp", "(C, H, W)")],
)
def test_what_a_kind_reads(kind: str, read: str) -> None:
    assert f"  {'reads':<13}{read}\n" in run("explain", kind)


def test_published_data_say_their_modalities_terms_and_page() -> None:
    text = run("explain", "brats")
    for line in (
        "modalities   flair, t1, t1ce, t2",
        "terms        the challenge's terms",
        "page         docs/data/brats.md",
    ):
        assert f"  {line}" in text
    assert "https://www.synapse.org/brats2021" in text
    assert "page" not in run("explain", "digits_two_view")


@pytest.mark.parametrize("kind", specs("modulations"))
def test_a_method_says_where_it_is_from_and_what_it_costs(kind: str) -> None:
    spec = specs("modulations")[kind]
    assert spec.cost
    assert kind == "none" or (spec.source and spec.equation)


def sections(document: str) -> dict[str, str]:
    """The parts of a Markdown document by the anchors of their headings."""
    parts = re.split(r"^##+ (.*)$", document, flags=re.MULTILINE)[1:]
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in parts[::2]]
    return dict(zip(anchors, parts[1::2], strict=True))


def test_known_differences_are_as_many_as_the_document_lists(root: Path) -> None:
    parts = sections((root / "docs/paper-vs-code.md").read_text())
    counted = []
    for room in ("modulations", "schedules"):
        for kind, spec in specs(room).items():
            said, _, anchor = spec.known.partition("docs/paper-vs-code.md#")
            assert not spec.known or anchor in parts, kind
            if number := re.search(r"differ in (\d+) points", said):
                rows = [line for line in parts[anchor].splitlines() if line.startswith("| ")][1:]
                assert int(number[1]) == len(rows), kind
                counted.append(kind)
    assert {"cggm", "ogm_ge"} <= {*counted}


@pytest.mark.parametrize("kind", specs("modulations"))
def test_a_method_says_what_it_overrides_and_what_it_adds(kind: str) -> None:
    spec, text = specs("modulations")[kind], " ".join(run("explain", f"modulations/{kind}").split())
    assert f" family {spec.family} " in text
    assert f" hooks {', '.join(spec.hooks)} " in text or not spec.hooks
    assert f" adds forwards: {spec.forwards}; backwards: {spec.backwards}; parameters: {spec.parameters} " in text


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("greedy", "modalities   2"),
        ("greedy", "fusions      mmtm"),
        ("recon_boost", "schedule     alternating"),
        ("recon_boost", "fusions      those that concatenate features"),
        ("cggm", "off          rho: null, lam: 0.0"),
    ],
)
def test_what_a_method_asks_for(kind: str, line: str) -> None:
    assert f"  {line}\n" in run("explain", f"modulations/{kind}")


def test_schedules_are_a_room() -> None:
    assert "everything" in run("list", "schedules").split()
    assert run("explain", "alternating").startswith("alternating · schedules · ")


def test_cggm_is_explained_like_in_the_papers() -> None:
    text = run("explain", "cggm")
    parts = ("B_i = (S - d_i) / S", "NeurIPS 2024", "required", "paper | released | stable", "2 or more", "1.3")
    more = (
        "cost ",
        "no extra pass",
        "null switches it off",
        "docs/paper-vs-code.md#cggm",
        "classification, regression",
    )
    for part in parts + more:
        assert part in text.replace("\n" + " " * 36, " "), part


def test_a_name_of_two_rooms_shows_both() -> None:
    text = run("explain", "transformer")
    assert "transformer · encoders" in text
    assert "transformer · fusions" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "fusion"), "did you mean 'fusions'"),
        (("list", "x" * 300), "there is no room"),
        (("explain", "cgmm"), "did you mean 'cggm'"),
        (("explain", "encoders/mllp"), "did you mean 'encoders/mlp'"),
        (("explain", "../../etc"), "nothing is called"),
    ],
)
def test_misspelt_names_get_a_hint(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(CggmError, match=message):
        run(*arguments)


def test_neither_imports_torch() -> None:
    script = (
        "import sys; from cggm_pipeline.cli import cggm\n"
        "for words in (['list', 'encoders'], ['explain', 'timm']): cggm.main(words, standalone_mode=False)\n"
        "assert not {'torch', 'timm'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
