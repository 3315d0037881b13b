"""The mark that made-up raw data carry, so that whatever is computed from them says so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from cggm_pipeline.whole import write_whole

NAME = "TWIN.txt"


def mark(folder: Path, kind: str, seed: int) -> None:
    """Mark a folder of raw data as made by `cggm twin`: what its first line says, then the SHA-256 of every file."""
    head = f"made by `cggm twin {kind}` with seed {seed}: no real data, no result\n"
    write_whole(folder / NAME, head + "".join(f"{digest}  {name}\n" for name, digest in _files(folder)))


def banner(raw: Path) -> str:
    """What stands above everything computed from the raw file or folder `raw`: "" where it is not marked.

    It goes to terminals and pages, so only what prints of it; and a mark that is a link is not followed.
    """
    file = (raw if raw.is_dir() else raw.parent) / NAME
    if file.is_symlink() or not file.is_file():
        return f"marked by {NAME}: no real data, no result" if file.is_symlink() else ""
    with file.open("rb") as stream:
        line = stream.read(2000).decode("utf-8", "replace").strip().partition("\n")[0]
    return "".join(character for character in line if character.isprintable())[:200] or f"marked by {NAME}"


def foreign(folder: Path) -> list[str]:
    """The files of a folder that are not as `mark` found them: a person's own; all of them where it has no mark."""
    file = folder / NAME
    if not file.is_file():
        return [path.relative_to(folder).as_posix() for path in _paths(folder)]
    known = set(_lines(file)[1:])
    return [name for name, digest in _files(folder) if f"{digest}  {name}" not in known]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of every file in a folder, sorted; the mark itself left out."""
    for path in _paths(folder):
        yield path.relative_to(folder).as_posix(), "a link" if path.is_symlink() else _digest(path)


def _paths(folder: Path) -> Iterator[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return (path for path in found if path != folder / NAME)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
