"""A project: the folder that has `specs/` in it, and the only folder whose files a spec can name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import Problem, SpecError
from cggm_pipeline.spec.load import Document, read
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.text import printable


class Project:
    """A folder with `specs/{datasets,experiments,tables,claims}`. Documents are read once and kept."""

    def __init__(self, root: Path | str = ".") -> None:
        self.root = Path(os.path.realpath(root))
        self.specs = self.root / "specs"
        self.composed: dict[tuple[str, str], Any] = {}
        self.notes: dict[str, Problem] = {}  # by document: what is no fault and a person should know
        self._documents: dict[str, Document | SpecError] = {}
        self._inside: dict[str, bool] = {}
        self._here = os.path.realpath(".")

    @classmethod
    def of(cls, path: Path | str = ".") -> Project:
        """The project that `path` lies in: the nearest folder above it that has `specs/`. Raises SpecError."""
        start = Path(os.path.abspath(path))
        for folder in (start, *start.parents):
            if (folder / "specs").is_dir():
                return cls(folder)
        raise SpecError(
            [Problem(str(path), 0, 0, "", "not in a project: no folder above it has specs/", hint="cggm init")]
        )

    def file(self, path: Path | str) -> str:
        """The name of a file in messages: relative to the working folder where it lies below it, and printable."""
        text = os.path.abspath(path)
        shown = text[len(self._here) + 1 :] if text.startswith(self._here + os.sep) else text
        return shown if shown.isprintable() else printable(shown)

    def holds(self, path: Path | str) -> bool:
        """Whether the file, with every symbolic link followed, lies in this project."""
        folder, name = os.path.split(os.path.abspath(path))
        if os.path.islink(path) or name in ("", ".", ".."):
            return self._below(os.path.realpath(path))
        if folder not in self._inside:
            self._inside[folder] = self._below(os.path.realpath(folder))
        return self._inside[folder]

    def _below(self, real: str) -> bool:
        return real == str(self.root) or real.startswith(str(self.root) + os.sep)

    def document(self, path: Path | str) -> Document:
        """Read a file of this project. Raises SpecError, the same each time."""
        key = os.path.abspath(path)
        if key not in self._documents:
            try:
                if not self.holds(key):
                    raise SpecError([Problem(self.file(key), 0, 0, "", "leads out of the project")])
                self._documents[key] = read(Path(key), self.file(key))
            except SpecError as error:
                self._documents[key] = error
        found = self._documents[key]
        if isinstance(found, SpecError):
            raise found
        return found

    def documents(self) -> list[str]:
        """The files that were looked at, whether or not they could be read."""
        return list(self._documents)

    def names(self, room: str) -> list[str]:
        """The documents below specs/ROOM, as names that print: the path below it without `.yaml`."""
        folder = self.specs / room
        found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
        return sorted(filter(str.isprintable, found))

    def find(self, room: str, name: str | Path) -> Path:
        """The file that `name` means: a path, or a name below specs/ROOM. Raises SpecError with the nearest name."""
        path = Path(name)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return path
        inside = self.specs / room / f"{name}.yaml"
        if inside.is_file():
            return inside
        hint, allowed = did_you_mean(str(name), self.names(room))
        message = f"there is no {self.file(inside)}"
        raise SpecError([Problem(str(name), 0, 0, "", message, allowed=allowed, hint=hint)])

    def name(self, room: str, path: Path | str) -> str:
        """The name of a document: its path below specs/ROOM without `.yaml` (elsewhere: the file's own name)."""
        text, folder = os.path.abspath(path), f"{self.specs}{os.sep}{room}{os.sep}"
        below = text[len(folder) :] if text.startswith(folder) else os.path.basename(text)
        return os.path.splitext(below)[0].replace(os.sep, "/")
