"""A training step never waits for the device: nothing in forward, loss or modulation brings a value to the host.

This reads the source; `tests/unit/modulations/test_surroundings.py` also watches real steps.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cggm_pipeline"
ROOMS = ("modulations", "tasks", "encoders", "adapters", "fills", "fusions", "classifiers", "layers")
ADAPTING = ("evaluation/predictors", "evaluation/adaptation")
FILES = [
    PACKAGE / "network.py",
    *(file for room in (*ROOMS, *ADAPTING) for file in sorted((PACKAGE / room).rglob("*.py"))),
]
METHODS = {"item", "cpu", "tolist", "numpy", "nonzero", "synchronize"}
FUNCTIONS = {"bool"}
HOST_ONLY = {"metrics", "samples", "meter", "result"}  # of a Task or Meter: a whole split at its end, on the host
BETWEEN = {"start_epoch", "end_epoch", "measured", "_remember", "mean_of", "predictions"}
"""Of a method or an adaptation, between two epochs or at a restart; the contract tests watch the steps of methods."""
HOST_FILES = [PACKAGE / "tasks" / f"{name}.py" for name in ("measures", "scales", "surface", "volumes")]
"""What these call: scikit-learn, numpy, scipy."""
STEMS = {file.stem for file in HOST_FILES}


def waits(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of every call that would wait for the device; but in HOST_ONLY and BETWEEN."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in HOST_ONLY | BETWEEN:
            continue
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in METHODS:
                yield node.lineno, f".{called.attr}()"
            if isinstance(called, ast.Name) and called.id in FUNCTIONS:
                yield node.lineno, f"{called.id}()"
        yield from waits(node)


@pytest.mark.parametrize("file", [f for f in FILES if f not in HOST_FILES], ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_value_goes_to_the_host(file):
    found = [f"{file.name}:{line}: {what}" for line, what in waits(ast.parse(file.read_text()))]
    assert not found, "a step would wait for the device: " + ", ".join(found)


def test_host_files_are_used_at_the_end_of_a_split_alone():
    """Meters of a full evaluation aside, which keep the masks of one case on the host (`volumes`)."""
    host = {
        node.name
        for file in HOST_FILES
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for file in set(FILES) - set(HOST_FILES):
        tree = ast.parse(file.read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        taken = {name.name for node in imports for name in node.names if node.module.split(".")[-1] in STEMS} & host
        callers = {
            function.name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            and any(
                isinstance(node, ast.Name) and node.id in taken for line in function.body for node in ast.walk(line)
            )
        }
        assert callers <= HOST_ONLY, f"{file.name}: {callers}"


def test_the_scan_covers_every_room():
    for room in ("modulations", "tasks", "encoders", "fusions", "layers", "predictors", "adaptation"):
        assert any(file.parent.name == room for file in FILES), room
    assert (PACKAGE / "network.py") in FILES


def test_the_scan_sees_what_it_forbids():
    forward = "def forward(x):\n    if bool(x):\n        return x.sum().item() + x.cpu()\n"
    text = forward + "def metrics(x):\n    return x.item()\n"
    assert list(waits(ast.parse(text))) == [(2, "bool()"), (3, ".item()"), (3, ".cpu()")]
