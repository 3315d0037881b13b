"""Code dependencies are read from import statements: nothing missing, nothing that is not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from cggm_pipeline.errors import BuildError
from cggm_pipeline.pipeline.code import Code

FILES = {
    "stages/train.py": "from cggm_pipeline.build.train import train\nfrom cggm_pipeline.spec import Experiment\n",
    "cggm_pipeline/__init__.py": "__version__ = '1'\n",
    "cggm_pipeline/errors.py": "class E(Exception): ...\n",
    "cggm_pipeline/spec/__init__.py": "Experiment = 1\n",
    "cggm_pipeline/build/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from cggm_pipeline.build.train import train\ndef __getattr__(name): ...\n",
    "cggm_pipeline/build/tables.py": "from cggm_pipeline.modulations.two import Two\n",
    "cggm_pipeline/build/train.py": "from cggm_pipeline.build.tables import x\n"
    "from cggm_pipeline.modulations import Base\nfrom cggm_pipeline import errors, __version__\n"
    "def train():\n    from cggm_pipeline.data import late as other\n",
    "cggm_pipeline/data/late.py": "import typing\nif typing.TYPE_CHECKING:\n    import cggm_pipeline.unused\n",
    "cggm_pipeline/unused.py": "",
    "cggm_pipeline/modulations/__init__.py": "from cggm_pipeline.modulations.base import Base\n"
    "from cggm_pipeline.modulations.one import One\nfrom .two import Two as Second\n",
    "cggm_pipeline/modulations/base.py": "class Base: ...\n",
    "cggm_pipeline/modulations/one.py": "from .base import Base\nfrom ._private import help\n"
    "class One(Base):\n    def __init__(self, parts, classifiers, *, rho=1.0): ...\n",
    "cggm_pipeline/modulations/_private.py": "import torch, os.path\n",
    "cggm_pipeline/modulations/two.py": "from . import Base\n",
    "mine/encoder.py": "import mine.layers\n",
    "mine/layers.py": "",
}


@pytest.fixture
def code(tmp_path: Path) -> Code:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Code.of(tmp_path)


def closure(code: Code, *names: str) -> set[str]:
    return set(code.relative(code.closure(code.root / name for name in names)))


def test_a_script_leads_to_what_it_uses_and_no_further(code: Code) -> None:
    assert closure(code, "stages/train.py") == {
        "stages/train.py",
        "cggm_pipeline/build/train.py",
        "cggm_pipeline/modulations/base.py",
        "cggm_pipeline/data/late.py",
    }


def test_a_kind_brings_its_private_files_and_no_other_kind(code: Code) -> None:
    one = code.relative(code.closure([code.kind("modulations", "one")]))
    assert one == tuple(f"cggm_pipeline/modulations/{name}.py" for name in ("_private", "base", "one"))


def test_a_room_is_seen_through(code: Code) -> None:
    assert closure(code, "cggm_pipeline/modulations/two.py") == {
        "cggm_pipeline/modulations/two.py",
        "cggm_pipeline/modulations/base.py",
    }


def test_a_room_that_loads_late_is_seen_through(code: Code) -> None:
    script = code.root / "stages" / "late.py"
    script.write_text("from cggm_pipeline.build import train\n")
    assert code.imports(script) == (code.package / "build" / "train.py",)


def test_constructor_arguments(code: Code) -> None:
    assert {"parts", "classifiers"} <= code.arguments(code.kind("modulations", "one"))
    assert "rho" not in code.arguments(code.kind("modulations", "one"))


def test_custom_code_of_the_project(code: Code) -> None:
    file = code.custom("mine.encoder:Encoder")
    assert file is not None
    assert code.relative(code.closure([file])) == ("mine/encoder.py", "mine/layers.py")
    assert code.custom("numpy.random:Generator") is None


def test_a_kind_without_a_file(code: Code) -> None:
    with pytest.raises(BuildError, match=r"modulations/three\.py does not exist"):
        code.kind("modulations", "three")


def test_a_script_that_is_missing(code: Code) -> None:
    with pytest.raises(BuildError, match=r"stages/gone\.py: cannot be read"):
        code.closure([code.root / "stages" / "gone.py"])


def test_a_project_without_the_package_uses_the_installed_one(tmp_path: Path) -> None:
    code = Code.of(tmp_path)
    assert not code.own
    assert code.relative([code.kind("modulations", "none")]) == ()
    assert code.shown(code.kind("modulations", "none")) == "cggm_pipeline/modulations/none.py"
