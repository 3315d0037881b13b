"""A training step never waits for the device: nothing in forward, loss or modulation brings a value to the host.

This reads the source; `tests/unit/modulations/test_surroundings.py` also watches real steps.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cggm_pipeline"
ROOMS = ("modulations", "tasks", "encoders", "fills", "fusions", "classifiers", "layers")
FILES = [PACKAGE / "network.py", *(file for room in ROOMS for file in sorted((PACKAGE / room).glob("*.py")))]
METHODS = {"item", "cpu", "tolist", "numpy", "nonzero", "synchronize"}
FUNCTIONS = {"bool"}
HOST_ONLY = {"metrics"}  # Task.metrics works on a whole split, after training, on the host
HOST_FILE = PACKAGE / "tasks" / "measures.py"  # what Task.metrics calls


def waits(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of every call that would wait for the device; functions named in HOST_ONLY are passed over."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in HOST_ONLY:
            continue
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in METHODS:
                yield node.lineno, f".{called.attr}()"
            if isinstance(called, ast.Name) and called.id in FUNCTIONS:
                yield node.lineno, f"{called.id}()"
        yield from waits(node)


@pytest.mark.parametrize("file", [f for f in FILES if f != HOST_FILE], ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_value_goes_to_the_host(file):
    found = [f"{file.name}:{line}: {what}" for line, what in waits(ast.parse(file.read_text()))]
    assert not found, "a step would wait for the device: " + ", ".join(found)


def test_the_host_file_is_called_by_metrics_alone():
    host = {node.name for node in ast.parse(HOST_FILE.read_text()).body if isinstance(node, ast.FunctionDef)}
    for file in set(FILES) - {HOST_FILE}:
        callers = {
            function.name
            for function in ast.walk(ast.parse(file.read_text()))
            if isinstance(function, ast.FunctionDef)
            and any(isinstance(node, ast.Name) and node.id in host for node in ast.walk(function))
        }
        assert callers <= HOST_ONLY, f"{file.name}: {callers}"


def test_the_scan_covers_every_room():
    for room in ("modulations", "tasks", "encoders", "fusions", "layers"):
        assert any(file.parent.name == room for file in FILES), room
    assert (PACKAGE / "network.py") in FILES


def test_the_scan_sees_what_it_forbids():
    forward = "def forward(x):\n    if bool(x):\n        return x.sum().item() + x.cpu()\n"
    text = forward + "def metrics(x):\n    return x.item()\n"
    assert list(waits(ast.parse(text))) == [(2, "bool()"), (3, ".item()"), (3, ".cpu()")]
