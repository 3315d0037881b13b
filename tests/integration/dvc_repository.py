"""A project in a temporary git repository, and DVC in it: as a user has it, from the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import read_documents
from cggm_pipeline.pipeline.generate import generate
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.plan import dvc_status, plan
from cggm_pipeline.pipeline.workspace import write
from cggm_pipeline.spec import Project

ROOT = Path(__file__).resolve().parents[2]


class Repository:
    """A folder under git and DVC. Commands run with this interpreter's environment, and with the folder's own code."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command and return what it printed; a failure is a failure of the test."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def repro(self, *arguments: str) -> set[str]:
        """`dvc repro`; the stages that ran."""
        return ran(self.run("dvc", "repro", *arguments))

    def json(self, *command: str) -> Any:
        """The JSON mapping that a command prints, whatever it warns before."""
        text = self.run(*command)
        return json.loads(text[text.index("{") :])

    def commit(self) -> None:
        """Everything that git does not ignore, in one commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "a commit")

    def planned(self) -> tuple[set[str], set[str]]:
        """The stages that must run now, and those that run if what comes before them writes something new."""
        made = pipelines(read_documents(Project(self.root)), Code.of(self.root))
        items = plan(self.root, made, dvc_status(self.root))
        certain = {item.stage.name for item in items if item.certain}
        return certain, {item.stage.name for item in items} - certain

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """A file with one place changed; afterwards it is as it was."""
        path = self.root / name
        before = path.read_text(encoding="utf-8")
        assert old in before, f"{name} does not say {old!r}"
        path.write_text(before.replace(old, new, 1), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")

    @contextmanager
    def compiled(self, name: str, old: str, new: str) -> Iterator[None]:
        """A spec with one place changed and compiled; afterwards all is as it was."""
        with self.edited(name, old, new):
            self.compile()
            yield
        self.compile()

    def compile(self) -> None:
        """What `cggm compile` does, without starting a process."""
        write(self.root, generate(Project(self.root)))


def ran(output: str) -> set[str]:
    """The stages that DVC says it ran."""
    return set(re.findall(r"^Running stage '([^']+)'", output, re.MULTILINE))


def package_repository(root: Path, specs: dict[str, str]) -> Repository:
    """A copy of this repository with other specs, compiled and committed, nothing run yet."""
    for name in ("cggm_pipeline", "stages", ".dvc", ".dvcignore", ".gitignore", "pyproject.toml"):
        source, target = ROOT / name, root / name
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local")
            )
        else:
            shutil.copyfile(source, target)
    for name, text in specs.items():
        (root / "specs" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "specs" / name).write_text(text, encoding="utf-8")
    repository = Repository(root)
    repository.run("git", "init", "--quiet")
    repository.run("cggm", "compile")
    repository.commit()
    return repository
