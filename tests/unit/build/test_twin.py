"""`cggm twin`: raw files that nobody loses, documents that are overlays on the real ones, and all of it valid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cggm_pipeline.build import tables, twin
from cggm_pipeline.cli import cggm
from cggm_pipeline.data.prepared import read_manifest
from cggm_pipeline.data.twins import marker
from cggm_pipeline.spec import Project, load_table
from cggm_pipeline.spec.resolved import dump_data

ROOT = Path(__file__).resolve().parents[3]
TABLES = ("food101", "mosi", "iemocap", "brats")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The specs of this repository, in a project of their own."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs", ignore=shutil.ignore_patterns("resolved"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cggm, list(arguments))
    told = result.output + str(result.exception or "")
    assert result.exit_code == code, told
    return told


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [*TABLES, "iemocap-ablation", "mosi-sensitivity", "mosei", "ch-sims"])
def test_a_twin_is_valid_and_the_real_documents_stay(project: Path, name: str) -> None:
    before = files(project / "specs")
    told = run("twin", name, f"data/twins/{name}")
    assert {path: text for path, text in files(project / "specs").items() if path in before} == before
    assert "no errors" in run("validate")
    assert marker.banner(project / "data/twins" / name).startswith("made by `cggm twin")
    assert marker.foreign(project / "data/twins" / name) == []
    assert f"cggm prepare {name}-twin" in told or f"dvc repro pipelines/{name}-twin/dvc.yaml" in told


@pytest.mark.parametrize("name", ["mosei", "ch-sims"])
def test_a_dataset_without_a_table_is_prepared(project: Path, name: str) -> None:
    run("twin", name, f"data/twins/{name}")
    run("prepare", f"{name}-twin")
    manifest = read_manifest(project / f"data/prepared/{name}-twin")
    assert manifest.banner == marker.banner(project / "data/twins" / name)
    assert min(manifest.counts.values()) > 0


@pytest.mark.parametrize("name", TABLES)
def test_a_twin_has_the_rows_of_its_table(project: Path, name: str) -> None:
    run("twin", name, f"data/twins/{name}")
    real, made = load_table(name, Project(project)), load_table(f"{name}-twin", Project(project))
    assert list(made.rows) == list(real.rows)
    assert made.spec.title == f"{real.spec.title} (twin)"
    for slug, row in made.rows.items():
        ours, theirs = row.experiment.spec, real.rows[slug].experiment.spec
        assert row.published == real.rows[slug].published
        assert (ours.modulation, ours.use, ours.task) == (theirs.modulation, theirs.use, theirs.task)
        assert ours.data == f"{theirs.data}-twin"
        assert ours.training.epochs == 8
        assert type(ours.fusion) is type(theirs.fusion)


@pytest.mark.parametrize("kind", tables.TWINS)
def test_every_twin_has_an_overlay_and_a_writer(kind: str) -> None:
    assert (twin.OVERLAYS / f"{kind}.yaml.j2").is_file()
    assert callable(tables.implementation(tables.TWINS[kind]))


def test_raw_only_writes_no_document(project: Path) -> None:
    before = files(project / "specs")
    run("twin", "mosi", "data/twins/mosi", "--raw-only")
    assert files(project / "specs") == before
    assert (project / "data/twins/mosi/TWIN.txt").is_file()


def test_a_twin_is_made_again(project: Path) -> None:
    run("twin", "mosi", "data/twins/mosi")
    before = files(project)
    run("twin", "mosi", "data/twins/mosi")
    assert files(project) == before
    run("twin", "mosi", "data/twins/mosi", "--seed", "1")
    assert files(project) != before


def test_a_persons_own_files_are_never_touched(project: Path) -> None:
    own = project / "data/raw/mosi/mosi_data.pkl"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"real")
    told = run("twin", "mosi", "data/raw/mosi", code=1)
    assert "did not write mosi_data.pkl" in told
    assert files(project / "data") == {"raw/mosi/mosi_data.pkl": b"real"}
    assert not (project / "specs/tables/mosi-twin.yaml").exists()


def test_real_data_over_a_twin_are_a_persons_own(project: Path) -> None:
    run("twin", "mosi", "data/twins/mosi")
    (project / "data/twins/mosi/mosi_data.pkl").write_bytes(b"real")
    assert "did not write mosi_data.pkl" in run("twin", "mosi", "data/twins/mosi", code=1)
    assert (project / "data/twins/mosi/mosi_data.pkl").read_bytes() == b"real"


def test_a_link_in_the_folder_is_a_persons_own(project: Path) -> None:
    run("twin", "mosi", "data/twins/mosi")
    (project / "data/twins/mosi/link").symlink_to(project / "specs")
    assert "did not write link" in run("twin", "mosi", "data/twins/mosi", code=1)


def test_a_persons_own_document_stays(project: Path) -> None:
    own = project / "specs/tables/mosi-twin.yaml"
    own.write_text("version: 1\nkind: table\n")
    assert "specs/tables/mosi-twin.yaml is there already" in run("twin", "mosi", "data/twins/mosi", code=1)
    assert own.read_text() == "version: 1\nkind: table\n"
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    "folder", ["elsewhere", "data", "../outside", "/tmp", "data/prepared/x", "data/a b", "specs/x"]
)
def test_places_that_are_refused(project: Path, folder: str) -> None:
    told = run("twin", "mosi", folder, code=1)
    assert "is no place for a twin's raw files" in told
    assert "below data/" in told


def test_a_name_that_is_wrong(project: Path) -> None:
    assert "did you mean 'mosi'?" in run("twin", "mosii", "data/twins/mosi", code=1)
    told = run("twin", "digits", "data/twins/digits", code=1)
    assert "'digits_two_view' has no twin" in told


def test_a_name_like_nothing(project: Path) -> None:
    told = run("twin", "imagenet21k", "data/twins/x", code=1)
    assert told.startswith("error: there is no table and no dataset 'imagenet21k'\n  (allowed: ")


@pytest.mark.parametrize("name", ["mosi-twin", "mosei-twin"])
def test_a_twin_has_no_twin(project: Path, name: str) -> None:
    real = name.removesuffix("-twin")
    run("twin", real, f"data/twins/{real}")
    before = files(project)
    told = run("twin", name, "data/twins/again", code=1)
    assert f"error: '{name}' is a twin itself" in told
    assert f"cggm twin {real} data/twins/{real}" in told
    assert files(project) == before


def test_a_twin_without_its_files_says_how_they_are_made_again(project: Path) -> None:
    run("twin", "mosi", "data/twins/mosi")
    shutil.rmtree(project / "data/twins/mosi")
    told = run("prepare", "mosi-twin", code=1)
    assert "source.path: data/twins/mosi/mosi_data.pkl does not exist" in told
    assert "write it again: `cggm twin mosi data/twins/mosi`" in told
    assert "mosi-twin-twin" not in told
    assert "import-url" not in told


def test_a_mark_that_is_hostile_prints(project: Path) -> None:
    folder = project / "data/raw"
    folder.mkdir(parents=True)
    mark = folder / marker.NAME
    mark.write_bytes(b"\x1b[31mred\x00 <b>\xff\xe2\x80\xae" + b"x" * 10**6)
    assert marker.banner(folder).isprintable()
    assert marker.banner(folder).startswith("[31mred <b>")
    assert len(marker.banner(folder)) == 200
    mark.write_text("\x07\n")
    assert marker.banner(folder) == "marked by TWIN.txt"
    mark.unlink()
    mark.symlink_to("/etc/passwd")
    assert marker.banner(folder) == "marked by TWIN.txt: no real data, no result"


def test_a_writer_that_fails_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, *, seed: int) -> None:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(twin, "implementation", lambda place: broken)
    with pytest.raises(OSError, match="disk full"):
        twin.write_raw("mosi", project / "data/twins/mosi")
    assert files(project / "data") == {}


def test_the_manual_shows_what_is_printed(project: Path) -> None:
    command, _, printed = (
        (ROOT / "docs/twins.md").read_text().split("```")[1].removeprefix("console\n$ ").partition("\n")
    )
    assert run(*command.split()[1:]) == printed


def test_documents_say_who_wrote_them(project: Path) -> None:
    run("twin", "mosi", "data/twins/mosi")
    for path in ("datasets/mosi-twin", "experiments/mosi-twin/joint", "tables/mosi-twin"):
        text = (project / f"specs/{path}.yaml").read_text()
        assert text.splitlines()[1] == "# written by `cggm twin mosi data/twins/mosi`"
        assert yaml.safe_load(text)["version"] == 1


FEATURES = """version: 1
kind: dataset
source: {kind: features, data: mosi, modalities: {text: {encoder: {kind: mlp, hidden: [4]}}}}
split: {kind: published}
modalities: {text: {shape: [4]}}
target: {kind: values, width: 1}
"""


def test_features_without_a_twin_are_said(project: Path) -> None:
    (project / "specs/datasets/other.yaml").write_text(FEATURES)
    told = run("twin", "other", "data/twins/other", code=1)
    assert "'other' has no twin: it is computed from the features of 'mosi'" in told
    assert not (project / "data").exists()


def test_the_twin_of_a_nested_table_with_tuning_is_not_tuned(project: Path) -> None:
    table = yaml.safe_load((project / "specs/tables/mosi.yaml").read_text(encoding="utf-8"))
    tried = {"training.batch_size": [16, 32]}
    rows = {label: {**row, "tune": dict(tried)} for label, row in table["rows"].items()}
    changed = {**table, "rows": rows, "tuning": {"budget": 2, "seed": 1000}}
    path = project / "specs/tables/open/mosi.yaml"
    path.parent.mkdir()
    path.write_text(dump_data(changed), encoding="utf-8")
    run("twin", "open/mosi", "data/twins/mosi")
    twin_table = load_table("open/mosi-twin", Project(project))
    assert twin_table.spec.tuning is None
    assert [row.label for row in twin_table.rows.values()] == list(rows)


def test_a_table_that_starts_from_anothers_run_needs_its_twin(project: Path) -> None:
    told = run("twin", "mplmm/mosi", "data/twins/mosi", code=1)
    assert "'mplmm/mosi' starts from the run mplmm/pretraining/mult, whose table has no twin yet" in told
    assert "cggm twin mplmm/pretraining data/twins/NAME" in told
    assert not (project / "data/twins").exists()
    run("twin", "mplmm/pretraining", "data/twins/mosei")
    run("twin", "mplmm/mosi", "data/twins/mosi")
    assert "no errors" in run("validate")
    table = load_table("mplmm/mosi-twin", Project(project))
    starts = {slug: row.experiment.spec.weights for slug, row in table.rows.items()}
    assert starts["mplmm-paper"].experiment == "mplmm/pretraining-twin/mult"
    assert starts["lb-text"] is None
    assert set(table.spec.composites) == {"LB"}


def test_rows_that_start_from_a_row_of_their_own_table(project: Path) -> None:
    run("twin", "wander/mosi", "data/twins/mosi")
    assert "no errors" in run("validate")
    rows = load_table("wander/mosi-twin", Project(project)).rows
    assert rows["backbone"].experiment.spec.weights is None
    assert rows["wander-paper"].experiment.spec.weights.experiment == "wander/mosi-twin/backbone"
