"""A module that the project's pyproject.toml allows, for the `custom` encoder; and a tiny BERT's config for `text`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CUSTOM = """
from torch import nn
from cggm_pipeline.encoders import Encoder
from cggm_pipeline.layers.features import Features

class Doubled(Encoder):
    def __init__(self, shape, layout="vector"):
        super().__init__()
        self.layout = layout
        self.linear = nn.LazyLinear(5) if None in shape else nn.Linear(__import__("math").prod(shape), 5)
        self.widths = (5,)

    def forward(self, x):
        values = x.values if x.mask is None else x.values.masked_fill(x.mask[..., None], 0)
        return Features(2 * self.linear(values.flatten(1).to(self.linear.weight.dtype)))

NOT_A_CLASS = 3
"""

BERT = """{"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
"intermediate_size": 32, "vocab_size": 256, "max_position_embeddings": 16}"""


@pytest.fixture(autouse=True)
def custom_project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory is a project with an allow-listed module `cggm_custom_for_tests` and the model `bert`."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[tool.cggm]\ncustom = ["cggm_custom_for_tests"]\n')
    (folder / "cggm_custom_for_tests.py").write_text(CUSTOM)
    (folder / "bert").mkdir()
    (folder / "bert" / "config.json").write_text(BERT)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    sys.modules.pop("cggm_custom_for_tests", None)
    yield folder
    sys.modules.pop("cggm_custom_for_tests", None)
