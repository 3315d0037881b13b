"""`cggm validate` and `cggm show` as processes and in place: words, forms, exit codes, and no torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cggm_pipeline.cli import show_, validate_
from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec.load import parse

if TYPE_CHECKING:
    from conftest import Desk


def validate(*arguments: str) -> Result:
    return CliRunner().invoke(validate_.command, list(arguments), catch_exceptions=False)


def test_everything_below_specs_but_the_generated(desk: Desk) -> None:
    desk.write("resolved/x.yaml", "not: [a spec")
    desk.write("schema.json", "{}")
    result = validate()
    assert result.exit_code == 0
    assert re.fullmatch(r"3 files checked, no errors +\d+\.\d\d s\n", result.output)


def test_the_summary_counts_files_and_errors(desk: Desk) -> None:
    text = desk.good.replace("epochs: 30", "epochs: -3").replace("preset", "prset").replace("data: mosi", "data: x")
    desk.write("experiments/x.yaml", text)
    result = validate("specs/experiments/x.yaml")
    assert result.exit_code == 1
    *_, summary = result.output.splitlines()
    assert re.fullmatch(r"1 file checked, 1 with 3 errors +\d+\.\d\d s", summary)
    result = validate("specs/experiments/cggm.yaml")
    assert result.output.startswith("2 files checked, no errors")  # its dataset is checked with it


def test_a_fault_in_a_shared_dataset_is_told_once(desk: Desk) -> None:
    desk.dataset("number: 3", "number: 1")
    result = validate()
    assert result.output.count("error:") == 1
    assert "3 files checked, 1 with 1 error " in result.output


def test_a_folder(desk: Desk) -> None:
    assert validate("specs/datasets").output.startswith("1 file checked, no errors")


def test_a_path_that_does_not_exist_is_wrong_usage(desk: Desk) -> None:
    result = validate("specs/experiments/cgm.yaml")
    assert result.exit_code == 2
    assert "there is no 'specs/experiments/cgm.yaml'; did you mean 'specs/experiments/cggm.yaml'?" in result.output


def test_json(desk: Desk) -> None:
    desk.write("experiments/x.yaml", desk.good.replace("preset: paper", "preset: paper, roh: 1"))
    result = validate("--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "files": 4,
        "errors": 1,
        "problems": [
            {
                "file": "specs/experiments/x.yaml",
                "line": 9,
                "column": 41,
                "key": "modulation.roh",
                "message": "not a parameter of cggm",
                "allowed": "preset, rho, lam, normalise",
                "hint": "did you mean 'rho'?",
                "source": "modulation: {kind: cggm, preset: paper, roh: 1}",
                "width": 3,
            }
        ],
    }


def test_github_annotations(desk: Desk) -> None:
    desk.write("experiments/x.yaml", desk.good.replace("preset: paper", "preset: papr"))
    result = validate("--format", "github")
    assert result.exit_code == 1
    assert result.output == (
        "::error file=specs/experiments/x.yaml,line=9,endLine=9,col=34,endColumn=38,title=cggm validate::"
        "modulation.preset: papr is not paper | released | stable%0Adid you mean 'paper'?\n"
    )


def test_github_annotations_cannot_be_forged(desk: Desk) -> None:
    desk.write("experiments/x.yaml", desk.good.replace("  text:", '  "a\\n::error file=x::100%":'))
    result = validate("--format", "github")
    assert all(line.startswith("::error file=specs/experiments/x.yaml,line=6,") for line in result.output.splitlines())
    assert "100%25" in result.output


def test_build_prints_parameters_and_locates_what_cannot_be_built(desk: Desk) -> None:
    pytest.importorskip("torch")
    result = validate("--build", "specs/experiments/cggm.yaml")
    assert result.exit_code == 0, result.output
    assert re.search(r"encoders\.text +[\d,]+\n", result.output)
    image = desk.root / "specs/datasets/mosi.yaml"
    image.write_text(image.read_text().replace("{shape: [50, 300]}", "{shape: [3, 32, 32]}"))
    desk.write(
        "experiments/x.yaml",
        desk.good.replace(
            "text: {encoder: {kind: transformer, width: 40, heads: 5}}",
            "text: {encoder: {kind: timm, model: resnet81}}",
        ),
    )
    result = validate("--build", "specs/experiments/x.yaml")
    assert result.exit_code == 1, result.output
    assert re.search(r"x\.yaml:6:\d+: error: modalities\.text\.encoder(\.model)?: .*resnet81", result.output)


def test_a_process_never_imports_torch(desk: Desk) -> None:
    """Nor what costs as much: the torch-free half starts in a fraction of a second."""
    code = (
        "import sys\nfrom cggm_pipeline.cli import main\nsys.argv = ['cggm', 'validate']\n"
        "try: main()\nexcept SystemExit as end: code = end.code\n"
        "slow = {'torch', 'numpy', 'pyarrow', 'dvc', 'timm', 'sklearn', 'rich', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(f'{code} {sorted(slow)}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=desk.root, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "0 []", done.stdout + done.stderr


def test_show_with_origin(desk: Desk) -> None:
    result = CliRunner().invoke(show_.command, ["mosi", "--row", "joint", "--origin"], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [line.split("  # ") for line in result.output.splitlines()]
    origins = {line[0].strip(): line[1] for line in lines if len(line) == 2}
    method = lines[[line[0].rstrip() for line in lines].index("modulation:") + 1]
    assert [part.strip() for part in method] == ["kind: none", "specs/tables/mosi.yaml:5"]
    assert origins["seeds: [0, 1]"] == "specs/tables/mosi.yaml:7"
    assert origins["epochs: 30"] == "specs/experiments/cggm.yaml:10"
    assert origins["clip: null"] == "default"


@pytest.mark.parametrize("spec", ["cggm", "specs/experiments/cggm.yaml", "mosi", "specs/datasets/mosi.yaml"])
def test_show_prints_yaml_with_every_default(desk: Desk, spec: str) -> None:
    from pathlib import Path

    result = CliRunner().invoke(show_.command, [spec], catch_exceptions=False)
    data = parse(result.output, Path("shown"), "shown").data
    assert data["version"] == 1
    assert "description" in data


def test_show_of_what_is_not_there(desk: Desk) -> None:
    for arguments, message in (
        (["cgm"], "there is no spec 'cgm'; did you mean 'cggm'?"),
        (["mosi", "--row", "Jint"], "the table mosi has no row 'Jint'; did you mean 'joint'?"),
        (["specs/experiments/cggm.yaml", "--row", "x"], "is not a table"),
    ):
        error = CliRunner().invoke(show_.command, arguments).exception
        assert isinstance(error, CggmError)
        assert message in str(error)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("doubled keys", "a: 1\n" * 100_000),
        ("unknown keys", "".join(f"k{number}: 1\n" for number in range(60_000))),
        ("not finite", "seeds: [" + ".nan, " * 100_000 + "1]\n"),
        ("wrong items", "use: [" + "1, " * 200_000 + "1]\n"),
        ("many modalities", "modalities:\n" + "".join(f"  m{number}: 1\n" for number in range(50_000))),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_a_hostile_file_is_answered_in_seconds(desk: Desk, name: str, text: str) -> None:
    """No work that grows with the square of a file; a hundred problems of a kind are told, not a hundred thousand."""
    began = time.process_time()
    found = desk.problems("experiments/x.yaml", "version: 1\nkind: experiment\n" + text)
    assert time.process_time() - began < 10
    assert 1 <= len(found) <= 300
