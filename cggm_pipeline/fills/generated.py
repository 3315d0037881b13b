"""MPLMM (Guo et al., ACL 2024): absent features are generated, and prompts say what is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.fills._absent import emptied
from cggm_pipeline.fills._generation import Generation
from cggm_pipeline.fills._missing_type import MissingType, Signals
from cggm_pipeline.fills._mixing import Blocks
from cggm_pipeline.fills._tokens import Tokens, no_pyramids
from cggm_pipeline.fills.base import Fill
from cggm_pipeline.layers.features import Features, Layout
from cggm_pipeline.layers.named import ByName
from cggm_pipeline.layers.resampling import resampled
from cggm_pipeline.layers.widths import one_width

Form = Literal["paper", "released"]
SPREAD = 0.02
"""Standard deviation of prompts at the start; the paper does not say how it draws them."""


class Generated(Fill):
    """Multimodal prompt learning with missing modalities: three kinds of prompts, each with its switch.

    `generative`   rows that are absent are made of the modalities that are there (equations 1, 2): `Generation`
    `signal`       x_m + P_MS where m is absent, x_m + P_NMS where it is there (equation 3), stretched over time
    `missing_type` P'_MT = P_MT sum_m M_m P^m (equations 4, 5), `length` tokens that go with every modality's; their
                   mean is added to vectors. All modalities must have one width.

    Without all three it is `zeros`, bit for bit; which are on changes no other initial value. `length`: of every
    prompt, in tokens. `kernel`: of the convolutions f_{j->m}, in tokens; 1 in the authors' code. `blocks`: of the
    generator, one per "target" or, as printed, one per target and "subset" of what is there.

    The generator mixes time with a matrix. It works on a grid of min(T_m, steps) tokens, so that it does not grow with
    long sequences; others are averaged onto it and back (`layers/resampling.py`). Where the number of tokens varies, a
    sample's own tokens are its time and `steps` tokens stand for a modality that is absent: no sample depends on the
    batch it is in.

    `form` "paper": prompts start from N(0, 0.02), M_m from N(0, 1/length), and P'_MT stands in front of the sequences.
    "released" is what the authors' code computes: all prompts and M_m start from zero, so that P_MT and M_m never move
    (each one's gradient is a product with the other), M_P is a sum of P M instead of M P, and P'_MT stands behind.
    """

    accepts: ClassVar[frozenset[Layout]] = frozenset({"vector", "tokens"})
    prompts: ClassVar[bool] = True

    def __init__(
        self,
        widths: Mapping[str, int],
        lengths: Mapping[str, int | None],
        *,
        generative: bool = True,
        signal: bool = True,
        missing_type: bool = True,
        length: int = 16,
        steps: int = 50,
        kernel: int = 1,
        blocks: Blocks = "target",
        form: Form = "paper",
    ) -> None:
        super().__init__()
        names, released = sorted(widths), form == "released"
        no_pyramids(widths, "generated")
        self.steps, self.signal, self.behind = steps, signal, released
        self.varying = frozenset(name for name in names if lengths[name] is None)
        grids = {name: min(lengths[name] or steps, steps) for name in names}
        # all are made and some thrown away: what is switched off must not change what the others draw
        makers = ByName({name: Generation(name, widths, grids, length, kernel, blocks) for name in names})
        signals = ByName({name: Signals(length, widths[name]) for name in names})
        for prompt in [made.prompt for _, made in makers.items()] + [*signals.parameters()]:
            draw_(prompt, 0.0 if released else SPREAD)
        self.generation: ByName[Generation] | None = makers if generative else None
        self.signals: ByName[Signals] | None = signals if signal or missing_type else None
        self.types: MissingType | None = None
        if missing_type:
            self.types = MissingType(len(names), length, one_width(widths, "missing_type"), turned=released)
            draw_(self.types.prompt, 0.0 if released else SPREAD)
            draw_(self.types.projection, 0.0 if released else length**-0.5)

    def forward(self, features: Mapping[str, Features], present: Mapping[str, Tensor | None]) -> dict[str, Features]:
        if self.generation is None and self.signals is None:
            return {name: emptied(value, present.get(name)) for name, value in features.items()}
        given = {
            name: Tokens.of(value, present.get(name), varies=name in self.varying)
            for name, value in sorted(features.items())
        }
        if self.generation is not None or self.signal:
            given = {name: tokens.roomy(self.steps) for name, tokens in given.items()}
        made = self._signalled(self._generated(given))
        return {name: tokens.features() for name, tokens in self._typed(made).items()}

    def _generated(self, given: dict[str, Tokens]) -> dict[str, Tokens]:
        """Equations 1 and 2, from what is there alone: no modality reads what was made up for another."""
        if self.generation is None:
            return given
        made = {name: maker(given, len(given[name].absent)) for name, maker in self.generation.items()}
        return {
            name: tokens.replaced(made[name] if tokens.varies else resampled(made[name], tokens.values.shape[1]))
            for name, tokens in given.items()
        }

    def _signalled(self, given: dict[str, Tokens]) -> dict[str, Tokens]:
        """Equation 3."""
        if self.signals is None or not self.signal:
            return given
        added = {name: signal(given[name].absent) for name, signal in self.signals.items()}
        return {
            name: tokens.plus(resampled(added[name], tokens.cells or tokens.values.shape[1]))
            for name, tokens in given.items()
        }

    def _typed(self, given: dict[str, Tokens]) -> dict[str, Tokens]:
        """Equations 4 and 5."""
        if self.signals is None or self.types is None:
            return given
        signals = torch.stack([torch.stack([each.missing, each.there]) for _, each in self.signals.items()])
        absent = torch.stack([tokens.absent for tokens in given.values()], dim=1)
        prompts = self.types(signals, absent).unbind(1)
        return {
            name: tokens.attached(prompt, behind=self.behind)
            for (name, tokens), prompt in zip(given.items(), prompts, strict=True)
        }


def draw_(parameter: nn.Parameter, spread: float) -> None:
    """N(0, spread^2), and zeros where the spread is 0; as many random numbers either way."""
    with torch.no_grad():
        parameter.normal_().mul_(spread)
