"""A small project of one's own that runs: specs, stages and a CSV of real digits, from the files in `project/`."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import tempfile
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.workspace import write
from cggm_pipeline.spec import Project, schema

PROJECT = Path(__file__).parent / "project"
SAMPLE = "samples/digits.csv"


def start(folder: Path) -> None:
    """Write a project into a folder that does not exist or is empty. CggmError where it is neither."""
    folder = folder.resolve()
    there = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.is_dir() else []
    if there or (folder.exists() and not folder.is_dir()):
        found = f"has {', '.join(there[:3])} in it" if there else "is a file"
        raise CggmError(f"{folder}: {found}; `cggm init` wants a new or an empty folder")
    git = shutil.which("git") is not None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            made = Path(name)
            _fill(made, folder.name, git)
            folder.mkdir(exist_ok=True)
            for path in made.iterdir():
                shutil.move(path, folder / path.name)
    except OSError as error:
        raise CggmError(f"{folder}: cannot be written: {error.strerror or error}") from error
    if git and not _inside_git(folder):
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)


def _fill(root: Path, name: str, git: bool) -> None:
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    for template in sorted(PROJECT.rglob("*.j2")):
        target = root.joinpath(*(_hidden(part) for part in template.relative_to(PROJECT).with_suffix("").parts))
        target.parent.mkdir(parents=True, exist_ok=True)
        text = environment.from_string(template.read_text(encoding="utf-8")).render(name=name, git=git)
        target.write_text(text, encoding="utf-8")
    sample = root / SAMPLE
    sample.parent.mkdir()
    sample.write_text(digits_csv(), encoding="utf-8")
    (root / "specs" / "schema.json").write_text(schema.text(), encoding="utf-8")
    write(root, generate(Project(root)))


def _hidden(part: str) -> str:
    """`dot-gitignore` is `.gitignore`: a wheel leaves hidden files out."""
    return f".{part.removeprefix('dot-')}" if part.startswith("dot-") else part


def digits_csv() -> str:
    """The 1,797 handwritten digits of scikit-learn, each as the ink in its eight rows and in its eight columns."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise CggmError("`cggm init` needs what training needs: pip install 'cggm-pipeline[train]'") from error
    digits = load_digits()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "digit", *(f"r{i}" for i in range(8)), *(f"c{i}" for i in range(8))])
    for index, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        ink = [*image.sum(axis=1), *image.sum(axis=0)]
        writer.writerow([f"d{index:04d}", int(digit), *(int(value) for value in ink)])
    return text.getvalue()


def _inside_git(folder: Path) -> bool:
    command = ["git", "rev-parse", "--is-inside-work-tree"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
