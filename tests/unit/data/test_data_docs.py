"""docs/data.md: its example runs as written, and the command does what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cggm_pipeline.cli import cggm

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_runs_as_written(root: Path, here: Path) -> None:
    names: dict[str, object] = {}
    ran = []
    for language, text in BLOCK.findall((root / "docs" / "data.md").read_text(encoding="utf-8")):
        place = re.match(r"# (specs/\S+\.yaml)\n", text)
        if language == "python":
            exec(text, names)  # noqa: S102 (our own documentation)
            ran.append("python")
        elif place:
            path = here / place.group(1)
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            ran.append(path.stem)
        elif text.startswith("$ cggm prepare tumours"):
            result = CliRunner().invoke(cggm, text.splitlines()[0].split()[2:], catch_exceptions=False)
            assert result.exit_code == 0
            said = re.sub(r"\d+ s$", "", text.splitlines()[1])
            assert said in result.output
            ran.append("prepare")
        elif text.startswith("# cggm split"):
            assert (here / "specs/splits/tumours.csv").read_text().splitlines()[:3] == text.splitlines()[:3]
            ran.append("split")
    assert ran == ["python", "tumours", "prepare", "python", "split", *["python"] * 4]


def test_check_names_the_raw_file_that_changed(root: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "specs/datasets").mkdir()
    (here / "raw").mkdir()
    table = here / "raw" / "t.csv"
    table.write_text(
        "a,y,part\n" + "".join(f"{k},{k % 2},{part}\n" for k in range(2) for part in ("train", "valid", "test"))
    )
    (here / "specs/datasets/small.yaml").write_text(
        "version: 1\nkind: dataset\n"
        "source: {kind: table, path: raw/t.csv, target: y, split: part, columns: {a: {columns: [a], type: numbers}}}\n"
        "split: {kind: published}\nmodalities: {a: {shape: [1]}}\ntarget: {kind: classes, number: 2}\n"
    )
    run = CliRunner().invoke
    before = run(cggm, ["prepare", "small", "--check"])
    assert "not prepared yet" in str(before.exception)
    assert run(cggm, ["prepare", "small"], catch_exceptions=False).exit_code == 0
    assert run(cggm, ["prepare", "small", "--check"], catch_exceptions=False).exit_code == 0
    table.write_text(table.read_text().replace("0,0,test", "7,0,test"))
    after = run(cggm, ["prepare", "small", "--check"], catch_exceptions=False)
    assert after.exit_code == 1
    assert "raw/t.csv: changed" in after.output
