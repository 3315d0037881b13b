"""Files and names that mean harm, or look like something else: each is refused with its place, none is obeyed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import show_, validate_
from cggm_pipeline.errors import CggmError
from cggm_pipeline.spec import Project

if TYPE_CHECKING:
    from conftest import Desk

HEAD = "version: 1\nkind: experiment\n"
TURNED = "\u202e"
"""Right-to-left override: what follows is shown backwards."""
TIMM = "{kind: timm, model: resnet18, pretrained: %s}"


def test_turned_writing_is_refused_where_it_stands(desk: Desk) -> None:
    (problem,) = desk.experiment("data: mosi", f"description: good {TURNED}dab\ndata: mosi")
    assert (problem.line, problem.column) == (3, 19)
    assert "U+202E" in problem.message


def test_hebrew_and_arabic_are_words_like_others(desk: Desk) -> None:
    assert desk.experiment("data: mosi", "description: שלום مرحبا\ndata: mosi") == []


@pytest.mark.parametrize("escape", ["\\0", "\\e[31m", "\\a", "\\u202E", "\\u2028", "\\uFEFF", "\\x9b"])
def test_an_escape_brings_nothing_into_a_value(desk: Desk, escape: str) -> None:
    (problem,) = desk.experiment("data: mosi", f'description: "a{escape}b"\ndata: mosi')
    assert (problem.line, problem.column, problem.key) == (3, 14, "description")
    assert "escaped or not" in problem.message


def test_escapes_of_readable_characters_are_free(desk: Desk) -> None:
    assert desk.experiment("data: mosi", 'description: "a\\tb\\nc\\u00e4\\x41"\ndata: mosi') == []


def test_a_letter_that_looks_latin_is_named(desk: Desk) -> None:
    (problem,) = desk.experiment("seeds: [0]" if "seeds" in desk.good else "data: mosi", "d\u0430ta: 1\ndata: mosi")
    assert problem.line == 3
    assert "cyrillic small letter a" in problem.hint


def test_two_labels_that_look_the_same_share_no_files(desk: Desk) -> None:
    (problem,) = desk.table("  CGGM: {}\n", "  CGGM: {}\n  \u0421CGGM: {}\n")
    assert "shares the files 'cggm'" in problem.message


@pytest.mark.parametrize("name", ["a\nb", f"a{TURNED}b", "a\x1b[31mb", "a\udcffb"])
def test_a_file_name_cannot_speak_to_the_terminal(desk: Desk, name: str) -> None:
    path = desk.root / "specs/experiments" / f"{name}.yaml"
    try:
        path.write_text(desk.good)
    except OSError:
        pytest.skip("this file system has no such names")
    for form in ("text", "json", "github"):
        result = CliRunner().invoke(validate_.command, ["--format", form, str(path)], catch_exceptions=False)
        assert result.exit_code == 1
        assert "is not a name" in result.output
        assert result.output.replace("\n", "").isprintable()
    (line,) = result.output.splitlines()
    assert line.startswith("::error file=specs/experiments/a")
    error = CliRunner().invoke(show_.command, ["nothing-like-it"]).exception
    assert isinstance(error, CggmError)
    assert str(error).replace("\n", "").isprintable()


def test_folders_pipes_and_devices_are_no_files(desk: Desk) -> None:
    here = desk.root / "specs/experiments"
    (here / "folder.yaml").mkdir()
    os.mkfifo(here / "pipe.yaml")
    (here / "device.yaml").symlink_to("/dev/zero")
    for name in ("folder.yaml", "pipe.yaml"):
        (problem,) = desk.problems("experiments/x.yaml", HEAD + f"extends: {name}\n")
        assert (problem.line, problem.column) == (3, 10)
        assert problem.message == f"'{name}' is not a file"
    (problem,) = desk.problems("experiments/pipe.yaml")
    assert problem.message == "is not a file"
    (problem,) = desk.problems("experiments/device.yaml")
    assert problem.message == "leads out of the project"


def test_a_folder_without_specs_is_no_success(desk: Desk) -> None:
    (desk.root / "specs/empty").mkdir()
    result = CliRunner().invoke(validate_.command, ["specs/empty"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "'specs/empty' is a folder without specs" in result.output


def test_the_projects_own_folder_means_its_specs(desk: Desk) -> None:
    (desk.root / "dvc.yaml").write_text("stages: {}\n")
    for folder in (".", "", str(desk.root)):
        result = CliRunner().invoke(validate_.command, [folder], catch_exceptions=False)
        assert result.output.startswith("3 files checked, no errors"), result.output


@pytest.mark.parametrize("command", ["validate", "show", "compare", "explain", "list"])
def test_a_name_that_no_file_can_have_is_an_error_and_no_traceback(desk: Desk, command: str) -> None:
    words = [str(Path(sys.executable).parent / "cggm"), command, *["a" * 5000] * (1 + (command == "compare"))]
    done = subprocess.run(words, cwd=desk.root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr) < 600


@pytest.mark.parametrize("key", ["extends", "data"])
def test_a_path_that_no_file_can_have(desk: Desk, key: str) -> None:
    found = desk.problems("experiments/x.yaml", HEAD + f"{key}: {'a/' * 5000}b.yaml\n")
    assert [problem.line for problem in found if problem.key == key] == [3]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read(desk: Desk) -> None:
    path = desk.write("experiments/x.yaml", desk.good)
    path.chmod(0)
    (problem,) = desk.problems("experiments/x.yaml")
    assert "cannot be read: Permission denied" in problem.message


def test_an_error_of_the_disk_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.write("experiments/x.yaml", desk.good)

    def refuse(name: str, flags: int, *rest: object) -> int:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(os, "open", refuse)
    (problem,) = desk.problems("experiments/x.yaml")
    assert problem.file == str(path.relative_to(desk.root))
    assert problem.message == "cannot be read: Permission denied"


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_of_other_systems(desk: Desk, ends: str) -> None:
    assert desk.problems("experiments/x.yaml", desk.good.replace("\n", ends).encode()) == []
    wrong = desk.good.replace("preset", "prset").replace("\n", ends).encode()
    (problem,) = desk.problems("experiments/x.yaml", wrong)
    assert (problem.line, problem.column) == (9, 26)
    assert problem.source == "modulation: {kind: cggm, prset: paper}"


def test_places_behind_a_byte_order_mark(desk: Desk) -> None:
    (problem,) = desk.problems(
        "experiments/x.yaml", b"\xef\xbb\xbf" + desk.good.replace("version: 1", "version: 3").encode()
    )
    assert (problem.line, problem.column) == (1, 10)


@pytest.mark.parametrize("size", [1_000, 1_000_000])
def test_a_long_text_does_not_fill_the_screen(desk: Desk, size: int) -> None:
    for old, new in (
        ("data: mosi", f"data: {'a' * size}"),
        ("preset: paper", f"{'a' * size}: 1"),
        ("mosi", "b" * size),
    ):
        found = desk.experiment(old, new)
        assert found
        assert all(len(line) < 700 for problem in found for line in str(problem).split("\n"))


def test_raw_data_behind_a_link_out_of_the_project(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "mosi.csv").write_text("secret\n")
    (desk.root / "data").mkdir()
    (desk.root / "data/raw").symlink_to(outside.parent)
    for path in (f"data/raw/{outside.name}/mosi.csv", f"data/raw/{outside.name}"):
        (problem,) = desk.dataset("data/raw/mosi/mosi.csv", path)
        assert (problem.line, problem.column, problem.key) == (5, 9, "source.path")
        assert "leads out of the project through a symbolic link" in problem.message
    (desk.root / "data/raw").unlink()
    (desk.root / "store").mkdir()
    (desk.root / "data/raw").symlink_to(desk.root / "store")
    assert desk.dataset("data/raw/mosi/mosi.csv", "data/raw/mosi.csv") == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../../weights.pt", "~/weights.pt", "a/$(id).pt", "''", "a\\b"])
def test_pretrained_weights_lie_in_the_project(desk: Desk, path: str) -> None:
    desk.dataset("{shape: [50, 300]}", "{shape: [3, 32, 32]}")
    old = "text: {encoder: {kind: transformer, width: 40, heads: 5}}"
    found = desk.experiment(old, f"text: {{encoder: {TIMM % path}}}")
    (problem,) = [one for one in found if one.key == "modalities.text.encoder.pretrained"]
    assert problem.line == 6
    assert "is not true | false or a path inside the project" in problem.message
    found = desk.experiment(old, f"text: {{encoder: {TIMM % 'weights/resnet18.safetensors'}}}")
    assert not [one for one in found if one.key.endswith("pretrained")]


def test_validating_never_imports_a_custom_module(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.root / "trap.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(desk.root)
    old = "text: {encoder: {kind: transformer, width: 40, heads: 5}}"
    new = "text: {encoder: {kind: custom, path: 'trap:Encoder', output: tokens}}"
    assert desk.experiment(old, new) == []
    assert "trap" not in sys.modules
    for path in ("os.system", "trap:Encoder()", "../trap:Encoder", "trap:__import__('os')"):
        (problem,) = desk.experiment(old, new.replace("'trap:Encoder'", f'"{path}"'))
        assert problem.key == "modalities.text.encoder.path"


def test_a_project_reached_through_a_link_is_the_same_project(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "project"
    link.symlink_to(desk.root)
    assert Project(link).root == Project(desk.root).root == Path(os.path.realpath(desk.root))
    result = CliRunner().invoke(validate_.command, [str(link / "specs")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
