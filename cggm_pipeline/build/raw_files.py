"""Raw files that changed since the last preparation, noticed and named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from cggm_pipeline.data.manifest import File, Folder, Manifest, by_folder
from cggm_pipeline.whole import write_whole


def changes(before: Mapping[str, File | Folder], now: Mapping[str, File | Folder]) -> list[str]:
    """One line per raw file (or folder of many) that was changed, added or removed."""
    lines = [f"{key}: removed" for key in before if key not in now]
    for key, file in now.items():
        if key not in before:
            lines.append(f"{key}: new ({file.size:,} bytes)")
        elif file != before[key]:
            lines.append(f"{key}: changed ({before[key].size:,} -> {file.size:,} bytes, SHA-256 {file.sha256[:12]}..)")
    return sorted(lines)


def changes_since(manifest: Manifest, known: Mapping[str, File], now: Mapping[str, File]) -> list[str]:
    """What changed since a manifest was written. Where it has folders only, files are named as far as `known` are its.

    `known`: the raw files of the last preparation in this clone.
    """
    same = by_folder(known) == dict(manifest.raw)
    return changes(known, now) if same else changes(manifest.raw, by_folder(now))


def remember(name: str, files: Mapping[str, File], root: Path) -> None:
    """Keep the raw files' hashes apart from the output: DVC removes the output before it prepares again."""
    write_whole(_memory(name, root), json.dumps({key: asdict(file) for key, file in files.items()}, indent=1))


def remembered(name: str, root: Path) -> dict[str, File]:
    """The raw files of the last preparation in this clone; none where there was none."""
    path = _memory(name, root)
    if not path.is_file():
        return {}
    try:
        return {key: File(**file) for key, file in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # a note for people, never a source of truth: without it nothing is compared


def note_left_out(lines: Sequence[str], name: str, root: Path) -> Path:
    """Write down every damaged sample that was left out, one on each line, for a person to look through."""
    path = root / ".cggm" / "raw" / f"{name}-left-out.txt"
    write_whole(path, "".join(f"{line}\n" for line in lines))
    return path


def _memory(name: str, root: Path) -> Path:
    return root / ".cggm" / "raw" / f"{name}.json"
