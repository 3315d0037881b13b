"""The classifiers of all modalities, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from torch import nn

from cggm_pipeline.modulations._head import Head, checked


class Classifiers(nn.Module):
    """A read-only mapping from modality to its classifier, sorted by name, so that the order given never matters.

    Unlike `nn.ModuleDict` it takes every name without a dot, also `type`, `values` or `float`.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name in sorted(modules):
            if not name or "." in name:
                raise ValueError(f"{name!r} cannot name a modality: a name has at least one character and no dot")
            self._modules[name] = modules[name]

    def train(self, mode: bool = True) -> Self:
        """As any module's; it holds for a member called `training` too."""
        self.__dict__["training"] = mode  # an assignment would mean the member
        for name in self:
            self[name].train(mode)
        return self

    def __getitem__(self, name: str) -> nn.Module:
        module = self._modules[name]
        assert module is not None
        return module

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def heads(self) -> dict[str, Head]:
        """Each classifier's attribute `head`; ValueError where that is no linear layer or 1x1 convolution."""
        return {name: checked(getattr(self[name], "head", None), f"the head of classifier {name!r}") for name in self}


def matching(names: tuple[str, ...], classifiers: Mapping[str, nn.Module]) -> Classifiers:
    """Classifiers for exactly these modalities; ValueError where the names differ or there is nothing to balance."""
    if set(classifiers) != set(names):
        found = f"parts has {sorted(names)}, classifiers has {sorted(classifiers)}"
        raise ValueError(f"{found}; both need the same modalities")
    if len(names) < 2:
        raise ValueError(f"only {names[0]!r} was given; balancing needs at least 2 modalities")
    return Classifiers(classifiers)
