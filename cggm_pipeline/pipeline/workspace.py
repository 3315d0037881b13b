"""Generated files against what lies in the project: what is stale, what was edited, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import CggmError, SpecError
from cggm_pipeline.spec.load import parse
from cggm_pipeline.spec.stamp import state
from cggm_pipeline.whole import write_whole


@dataclass(frozen=True)
class Difference:
    """One generated file that is not as it should be. `what`: missing, stale, edited, foreign or left over."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: error: {_SAID[self.what]}"


_SAID = {
    "missing": "is missing; run `cggm compile`",
    "stale": "is not what the specs say now; run `cggm compile`",
    "edited": "was edited after `cggm compile` wrote it; put the change into the spec and run `cggm compile`, "
    "or throw it away with `cggm compile --force`",
    "foreign": "was not written by `cggm compile`; move it away, or overwrite it with `cggm compile --force`",
    "left over": "comes from a row or table that is gone; run `cggm compile`",
}


def differences(root: Path, files: Mapping[str, str]) -> list[Difference]:
    """Every difference between `files` (path to text) and the project, by content; sorted by path."""
    found = [Difference(path, what) for path, text in files.items() if (what := _compare(root / path, text))]
    left = {path: now for path, now in _generated(root).items() if path not in files}
    found += [Difference(path, "edited" if now == "edited" else "left over") for path, now in left.items()]
    return sorted(found, key=lambda difference: difference.path)


def write(root: Path, files: Mapping[str, str], *, force: bool = False) -> list[Difference]:
    """Make the project say what `files` say, and return what was different. CggmError where an edit would be lost."""
    found = differences(root, files)
    kept = [difference for difference in found if difference.what in ("edited", "foreign")]
    if kept and not force:
        raise CggmError("\n".join(map(str, kept)) + "\nnothing was written")
    for difference in found:
        path = root / difference.path
        if difference.path not in files:
            path.unlink()
            _remove_empty(path.parent, root)
        else:
            write_whole(path, files[difference.path])
    return found


def _compare(path: Path, text: str) -> str | None:
    if not path.is_file():
        return "missing"
    there = path.read_text(encoding="utf-8", errors="replace")
    now = _state(there)
    if _content(there) == _content(text):
        return None if now == "generated" else "stale"
    return "stale" if now == "generated" else now


def _state(text: str) -> str:
    try:
        return state(text)
    except SpecError:  # a half-resolved merge: not YAML any more, so not as it was written
        return "edited"


def _content(text: str) -> Any:
    try:
        return parse(text, Path("generated"), "generated").data
    except SpecError:
        return None


def _generated(root: Path) -> dict[str, str]:
    """The files that an earlier `cggm compile` wrote, and whether they were edited since."""
    candidates = [*root.glob("specs/resolved/**/*.yaml"), *root.glob("pipelines/**/dvc.yaml"), root / "dvc.yaml"]
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in candidates if path.is_file()}
    states = {path.relative_to(root).as_posix(): _state(text) for path, text in texts.items() if text.startswith("#")}
    return {path: now for path, now in states.items() if now != "foreign"}


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
