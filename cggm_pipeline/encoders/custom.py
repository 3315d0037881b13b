"""An encoder of one's own."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from torch import Tensor, nn

from cggm_pipeline.encoders.base import Encoder, Shape, Underway
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input

_NONE: Mapping[str, Any] = MappingProxyType({})


class Custom(Encoder):
    """`Class(shape, **options)` from `path: package.module:Class`, a subclass of `Encoder` with layout `output`.

    A spec is data from strangers, and importing runs code: the module must lie under a prefix that the project's own
    pyproject.toml lists in `[tool.cggm] custom = ["package"]`. The project's folder is put on the import path.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        path: str,
        output: Literal["vector", "tokens", "pyramid"] = "vector",
        options: Mapping[str, Any] = _NONE,
    ) -> None:
        super().__init__()
        module, _, name = path.partition(":")
        kind = _load(module, name, _allowed(module))
        try:
            encoder = kind(shape, **options)
        except (TypeError, ValueError) as error:
            raise BuildError(f"path: {path} cannot be built from shape {tuple(shape)}: {error}") from error
        if encoder.layout != output:
            raise BuildError(f"output: {path} gives {encoder.layout} features, but the spec says {output}")
        self.encoder: Encoder = encoder
        self.layout = output
        self.widths = tuple(encoder.widths)

    @property
    def trunk(self) -> Sequence[nn.Module]:
        return self.encoder.trunk

    def enter(self, x: Input) -> Underway:
        return self.encoder.enter(x)

    def leave(self, tokens: Tensor, x: Input) -> Features:
        return self.encoder.leave(tokens, x)

    def forward(self, x: Input) -> Features:
        features: Features = self.encoder(x)
        return features


def _allowed(module: str) -> Path:
    """The project folder, if its pyproject.toml allows the module; else a BuildError that says what to write."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "pyproject.toml").is_file():
            break
    else:
        raise BuildError(f"path: no pyproject.toml here or above, so nothing allows the module '{module}'")
    try:
        prefixes = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("tool", {}).get("cggm", {})
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"path: {folder / 'pyproject.toml'} is not TOML: {error}") from error
    allowed = prefixes.get("custom", [])
    if not any(module == prefix or module.startswith(f"{prefix}.") for prefix in allowed if prefix):
        raise BuildError(
            f"path: module '{module}' is not allow-listed; if you trust it, write into {folder / 'pyproject.toml'}:\n"
            f'  [tool.cggm]\n  custom = ["{module.partition(".")[0]}"]'
        )
    return folder


def _load(module: str, name: str, folder: Path) -> type[Encoder]:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        kind = getattr(import_module(module), name)
    except ImportError as error:
        raise BuildError(f"path: cannot import '{module}': {error}") from error
    except AttributeError as error:
        raise BuildError(f"path: module '{module}' has no '{name}'") from error
    if not (isinstance(kind, type) and issubclass(kind, Encoder)):
        raise BuildError(f"path: {module}:{name} is not a subclass of cggm_pipeline.encoders.Encoder")
    return kind
