"""Code from a spec runs only where the project's own pyproject.toml allows it."""

import sys
from pathlib import Path

import pytest

from cggm_pipeline.encoders.custom import Custom
from cggm_pipeline.errors import BuildError

MODULE = """
from pathlib import Path
Path("ran").touch()
from torch import nn
from cggm_pipeline.encoders import Encoder

class Good(Encoder):
    layout = "vector"
    def __init__(self, shape, *, width):
        super().__init__()
        self.widths = (width,)
    def forward(self, x):
        raise NotImplementedError

other = 3
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_unit_encoders.py").write_text(MODULE)
    (tmp_path / "pyproject.toml").write_text('[tool.cggm]\ncustom = ["my_unit_encoders"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("my_unit_encoders", None)
    return tmp_path


def test_an_allowed_class_gets_the_shape_and_the_options(project: Path) -> None:
    encoder = Custom((3, 4), path="my_unit_encoders:Good", options={"width": 9})
    assert encoder.widths == (9,)
    assert encoder.layout == "vector"


@pytest.mark.parametrize("allowed", ["[]", '["my_unit"]', '["my_unit_encoders.sub"]', '[""]'])
def test_what_is_not_allowed_is_not_imported(allowed: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(f"[tool.cggm]\ncustom = {allowed}\n")
    with pytest.raises(BuildError, match=r'not allow-listed(.|\n)*custom = \["my_unit_encoders"\]'):
        Custom((3,), path="my_unit_encoders:Good")
    assert not (project / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "my_unit_encoders:Missing"}, "has no 'Missing'"),
        ({"path": "my_unit_encoders:other"}, "is not a subclass"),
        ({"path": "my_unit_encoders.deeper:Good"}, "cannot import"),
        ({"path": "my_unit_encoders:Good", "options": {"with": 9}}, "cannot be built from shape"),
        ({"path": "my_unit_encoders:Good", "options": {"width": 9}, "output": "tokens"}, "gives vector features"),
    ],
)
def test_what_does_not_fit_is_told(arguments: dict[str, object], message: str, project: Path) -> None:
    with pytest.raises(BuildError, match=message):
        Custom((3,), **arguments)
