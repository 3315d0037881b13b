"""Modules by modality name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Self, TypeVar, cast

from torch import nn

M = TypeVar("M", bound=nn.Module)


class ByName(nn.Module, Generic[M]):
    """A read-only mapping of names to modules, sorted by name. State-dict keys are `name.…`.

    `nn.ModuleDict` refuses names that are attributes of a module (`type`, `float`, `values`, `training`), which are
    fair names for a modality; here modules are reached only through `[name]`, so any name without a dot is safe.
    """

    def __init__(self, modules: Mapping[str, M]) -> None:
        super().__init__()
        for name in sorted(modules):
            if not name or "." in name:
                raise ValueError(f"{name!r} cannot name a module: a name has at least one character and no dot")
            self._modules[name] = modules[name]

    def train(self, mode: bool = True) -> Self:
        """As any module's; it holds for a member called `training` too."""
        self.__dict__["training"] = mode  # an assignment would mean the member
        for _, module in self.items():
            module.train(mode)
        return self

    def __getitem__(self, name: str) -> M:
        return cast(M, self._modules[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def items(self) -> Iterator[tuple[str, M]]:
        """Names and modules, sorted by name."""
        return iter([(name, self[name]) for name in self._modules])
