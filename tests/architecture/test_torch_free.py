"""The torch-free half: every module of it is imported in one process, and nothing slow comes with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FREE = (
    *("errors", "spec", "pipeline", "report", "data/sources", "data/twins", "data/prepared"),
    *("cli", "build/data", "build/tables", "build/twin"),
)
SLOW = ("torch", "torchvision", "timm", "segmentation_models_pytorch", "transformers", "accelerate", "dvc", "lightning")
VALIDATING = (*SLOW, "numpy", "pyarrow", "sklearn", "matplotlib", "jinja2")
"""Validation in CI is over in well under a second, so it needs nothing but pydantic, PyYAML and click."""

SCRIPT = """
import sys
from importlib import import_module
for name in {names!r}:
    import_module(name)
    found = sorted(set({slow!r}) & set(sys.modules))
    if found:
        sys.exit(f"{{name}} imports {{', '.join(found)}}")
"""


def modules(root: Path, places: tuple[str, ...]) -> list[str]:
    """The dotted names of these files and of every file in these folders."""
    package = root / "cggm_pipeline"
    files = [path for place in places for path in _files(package / place)]
    names = [".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for path in files]
    assert names
    return sorted(names)


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def imported(names: list[str], slow: tuple[str, ...]) -> str:
    """What a fresh interpreter says that imports these modules one after the other."""
    script = SCRIPT.format(names=names, slow=slow)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_torch_free_half_is_free_of_torch(root: Path) -> None:
    names = modules(root, FREE)
    assert len(names) > 60
    assert imported(names, SLOW) == ""


def test_specs_need_nothing_but_pydantic_and_yaml(root: Path) -> None:
    assert imported(modules(root, ("errors", "spec", "cli")), VALIDATING) == ""


def test_the_check_itself_notices_torch() -> None:
    assert imported(["cggm_pipeline.modulations"], SLOW) == "cggm_pipeline.modulations imports torch\n"
