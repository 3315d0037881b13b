"""What `dvc repro` would run, why, and for how long: DVC's own status, explained key by key from dvc.lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cggm_pipeline.errors import CggmError
from cggm_pipeline.pipeline.records import Pipeline, Stage
from cggm_pipeline.spec.load import read

Status = Mapping[str, list[Any]]
"""What `dvc status --json` says: stage address to its changes."""

SHOWN = 3
"""Reasons printed per stage; the others are counted."""


@dataclass(frozen=True)
class Planned:
    """One stage that would run. `certain`: something it tracks has changed; else it runs if a stage before it writes
    something new. `seconds`: what its last run took; None where that is not known."""

    address: str
    stage: Stage
    reasons: tuple[str, ...]
    certain: bool
    seconds: float | None


def dvc_status(root: Path) -> Status:
    """Ask DVC. CggmError with its own words where it refuses."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CggmError(f"`dvc status` failed:\n{(done.stderr or done.stdout).strip()}")
    status: Status = json.loads(done.stdout)
    return status


def plan(root: Path, pipelines: tuple[Pipeline, ...], status: Status) -> list[Planned]:
    """The stages that would run, in the order in which they would."""
    planned: list[Planned] = []
    written: dict[str, str] = {}
    for pipeline in pipelines:
        locked = _locked(root / pipeline.path)
        for stage in pipeline.stages:
            address = f"{pipeline.path}:{stage.name}" if pipeline.folder else stage.name
            own = list(_reasons(root, stage, locked.get(stage.name), status.get(address, []), written))
            before = sorted({written[path] for path in stage.deps if path in written})
            if own or before:
                reasons = (*own, *_after(before))
                planned.append(Planned(address, stage, reasons, bool(own), last_seconds(root, stage)))
                written.update(dict.fromkeys(stage.products, stage.name))
    return planned


def _after(before: list[str]) -> list[str]:
    if len(before) > 1:
        return [f"after {len(before)} stages"]
    return [f"after {name}" for name in before]


def _locked(dvc_yaml: Path) -> dict[str, Any]:
    lock = dvc_yaml.with_name("dvc.lock")
    stages: dict[str, Any] = read(lock).data.get("stages") or {} if lock.is_file() else {}
    return stages


def _reasons(root: Path, stage: Stage, locked: Any, changes: list[Any], written: Mapping[str, str]) -> Iterator[str]:
    if locked is None:
        yield "never run"
        return
    for change in changes:
        if change == "changed command":
            yield "its command changed"
        elif change == "always changed":
            yield "it always runs"
        else:
            for path, how in {**change.get("changed deps", {}), **change.get("changed outs", {})}.items():
                if isinstance(how, dict):
                    yield from _sections(root, path, how, locked)
                elif path not in written:
                    yield f"{path}: {how}"


def _sections(root: Path, path: str, sections: Mapping[str, Any], locked: Any) -> Iterator[str]:
    before = (locked.get("params") or {}).get(path) or {}
    now = read(root / path).data if (root / path).is_file() else {}
    for section in sections:
        if section not in before:
            yield f"{path}: {section} is tracked now"
        else:
            yield from _changed(path, section, before[section], _at(now, section))


def _at(data: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _changed(path: str, key: str, before: Any, now: Any) -> Iterator[str]:
    """The leaves that differ, as `file: key: before -> now`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            if before.get(name) != now.get(name):
                yield from _changed(path, f"{key}.{name}", before.get(name), now.get(name))
    else:
        yield f"{path}: {key}: {json.dumps(before)} -> {json.dumps(now)}"


def last_seconds(root: Path, stage: Stage) -> float | None:
    """What the stage's last run took by its cost file, its seeds side by side on the cores of this machine."""
    file = next((root / path for path in stage.products if path.endswith("/cost.json")), None)
    if file is None:
        return None
    try:
        seeds = [float(seed["seconds"]) for seed in json.loads(file.read_text(encoding="utf-8"))["seeds"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # an estimate, not a result: without a readable file it is unknown
    return sum(seeds) / max(1, min(len(seeds), os.cpu_count() or 1))
