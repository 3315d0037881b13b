"""The GitHub Action and the pre-commit hook, as another repository meets them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
BAD = "version: 1\nkind: experiment\nextends: digits/joint.yaml\nmodulation: {kind: cggm, preset: paper, roh: 1}\n"
ANNOTATION = re.compile(r"::error file=(?P<file>[^,:]+)(,line=\d+,endLine=\d+,col=\d+,endColumn=\d+)?,title=[\w ]+::.+")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Another repository: its project, with one bad spec, lies in a folder of it."""
    project = tmp_path / "checkout" / "study"
    shutil.copytree(ROOT / "specs", project / "specs", ignore=shutil.ignore_patterns("resolved", "splits"))
    (project / "specs/experiments/bad.yaml").write_text(BAD)
    return tmp_path / "checkout"


def run_last_step(repository: Path, paths: str) -> subprocess.CompletedProcess[str]:
    """The action's last step, with the shell and the flags that GitHub gives a composite step."""
    step: dict[str, Any] = ACTION["runs"]["steps"][-1]
    assert step["shell"] == "bash"
    assert step["env"] == {"PATHS": "${{ inputs.paths }}"}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PATHS": paths, "GITHUB_WORKSPACE": str(repository)}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    place = repository / "study"
    return subprocess.run(shell, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("paths", ["", "specs/experiments/bad.yaml", "  specs/experiments \r\n\nspecs/datasets\n"])
def test_a_bad_spec_becomes_an_annotation_at_its_line(repository: Path, paths: str) -> None:
    done = run_last_step(repository, paths)
    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    found = ANNOTATION.fullmatch(line)
    assert found
    assert found["file"] == "study/specs/experiments/bad.yaml"  # GitHub counts from the repository's root
    assert ",line=4,endLine=4,col=41,endColumn=44," in line


def test_good_specs_pass(repository: Path) -> None:
    done = run_last_step(repository, "specs/experiments/digits")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("paths", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "--help", "-h", "*"])
def test_an_input_is_never_a_command_or_an_option(repository: Path, paths: str) -> None:
    done = run_last_step(repository, paths)
    assert done.returncode == 2
    assert f"there is no '{paths}'" in done.stderr
    assert not (repository / "study/pwned").exists()


def test_no_expression_stands_in_a_script() -> None:
    """An expression in `run` would be pasted into the shell's text; and pip must not be a module of the checkout."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "python -m" not in step.get("run", "")


@pytest.mark.parametrize(
    ("name", "checked"),
    [
        ("specs/experiments/a/b.yaml", True),
        ("specs/datasets/a.yml", True),
        ("study/specs/tables/a.yaml", True),
        ("specs/resolved/digits/joint.yaml", False),
        ("study/specs/resolved/x.yaml", False),
        ("docs/a.yaml", False),
        ("myspecs/a.yaml", False),
        ("specs/schema.json", False),
    ],
)
def test_the_hook_gets_specs_and_nothing_else(name: str, checked: bool) -> None:
    assert bool(re.search(HOOK["files"], name)) is checked


def test_the_hook_is_the_command(repository: Path) -> None:
    assert HOOK["language"] == "python"
    executable, *arguments = HOOK["entry"].split()
    command = [str(Path(sys.executable).parent / executable), *arguments, "study/specs/experiments/bad.yaml"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith("study/specs/experiments/bad.yaml:4:41: error: modulation.roh")
