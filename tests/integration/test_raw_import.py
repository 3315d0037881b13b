"""Raw files come into a project with DVC's own commands, although git ignores all that lies in data/."""

from __future__ import annotations

import shutil
from pathlib import Path

from dvc_repository import Repository

TEMPLATE = "cggm_pipeline/pipeline/project/dot-gitignore.j2"


def rules(path: Path) -> list[str]:
    """The lines that are about data/."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if "/data/" in line]


def test_projects_of_cggm_init_have_the_same_rules(root: Path) -> None:
    assert rules(root / TEMPLATE) == rules(root / ".gitignore") != []


def test_imported_and_added_raw_files_are_found_again_and_only_their_dvc_files_are_committed(
    root: Path, tmp_path: Path
) -> None:
    published = tmp_path / "mosi_data.pkl"
    published.write_bytes(b"real")
    repository = Repository(tmp_path / "project")
    repository.root.mkdir()
    shutil.copyfile(root / ".gitignore", repository.root / ".gitignore")
    repository.run("git", "init", "--quiet")
    repository.run("dvc", "init", "--quiet")
    for name in ("mosi/deep", "iemocap/A", "mosi-twin"):
        (repository.root / "data/raw" / name).mkdir(parents=True)
    repository.run("dvc", "import-url", str(published), "data/raw/mosi/mosi_data.pkl")
    for name in ("iemocap/A/comparE.h5", "mosi-twin/mosi_data.pkl", "mosi-twin/TWIN", "mosi/deep/other.txt", "own.csv"):
        (repository.root / "data/raw" / name).write_bytes(b"raw")
    (repository.root / "data/prepared/mosi").mkdir(parents=True)
    (repository.root / "data/prepared/mosi/train.arrow").write_bytes(b"prepared")
    repository.run("dvc", "add", "data/raw/iemocap", "data/raw/own.csv")
    repository.run("git", "add", "--all")
    committed = repository.run("git", "ls-files", "data").split()
    assert committed == [
        "data/raw/.gitignore", "data/raw/iemocap.dvc", "data/raw/mosi/mosi_data.pkl.dvc", "data/raw/own.csv.dvc",
    ]  # fmt: skip
    listed = repository.run("dvc", "list", ".", "--dvc-only", "--recursive").split()
    assert sorted(listed) == ["data/raw/iemocap/A/comparE.h5", "data/raw/mosi/mosi_data.pkl", "data/raw/own.csv"]
