"""The key of a run's state: a run that was killed goes on only where all of this is still the same.

The digest of the tracked sections (but for the list of seeds: each seed has its own state), of the data's manifest, of
weights that lie in the project, of every code file, and of the versions of what computes.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cggm_pipeline import __version__
from cggm_pipeline.errors import DataError
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.kinds import train_files, weights_of
from cggm_pipeline.pipeline.paths import prepared_folder
from cggm_pipeline.pipeline.sections import train_sections
from cggm_pipeline.spec import Experiment

COMPUTE = ("torch", "numpy", "accelerate", "timm", "segmentation_models_pytorch", "transformers", "tokenizers")


def run_key(experiment: Experiment, root: Path, code: Code | None = None) -> str:
    """Thirty-two hex digits. DataError where the experiment's data are not prepared. `code`: that of `root`, for many
    keys of one moment: each file is read once."""
    code = code or Code.of(root)
    starts = [code.package / "build" / "train.py"]  # what the stage and `cggm train` call
    script = code.root / "stages" / "train.py"
    if script.is_file():  # a project that only uses `cggm train` needs no stages
        starts.append(script)
    spec = experiment.model_dump(mode="json")
    tracked = [section for section in train_sections(experiment) if section != "seeds"]
    weights = sorted(weights_of(root, experiment))
    parts = {
        "sections": {section: _section(spec, section) for section in tracked},
        "data": _sha256(_manifest(root, experiment.data)),
        "code": {code.shown(file): _sha256(file) for file in train_files(code, experiment, *starts)},
        "weights": {path: _digest(root / path) for path in weights},
        "versions": {name: _version(name) for name in COMPUTE} | {"cggm_pipeline": __version__},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _section(spec: dict[str, Any], dotted: str) -> Any:
    value: Any = spec
    for name in dotted.split("."):
        value = value[name]
    return value


def _manifest(root: Path, dataset: str) -> Path:
    path = root / prepared_folder(dataset) / "manifest.json"
    if not path.is_file():
        raise DataError(f"{path}: '{dataset}' is not prepared; run `cggm prepare {dataset}`, or `dvc repro`")
    return path


def _digest(path: Path) -> str:
    """Of a file, or of a folder's files with their names."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    try:
        found = {file.relative_to(path).as_posix(): _sha256(file) for file in files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), but the experiment names it") from error
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
