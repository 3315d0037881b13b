"""LoRA (Hu et al., ICLR 2022), by the library peft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from cggm_pipeline.adapters._learning import TRAINED, check_awake, only
from cggm_pipeline.adapters.base import Adapter
from cggm_pipeline.errors import BuildError
from cggm_pipeline.network import Network

PLACES = ("encoders.", "fusion.")
"""The head stays one linear layer, which modulations read; the fill learns whole."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
SHOWN = 8


class LoRA(Adapter):
    """y = W x + (alpha / rank) B A x beside layers of encoders and fusion, A drawn, B zero at first (section 4.1).

    `target`: patterns over the names of linear and convolutional layers (`encoders.*.qkv`); None: every linear one.
    Only layers that are called learn: a few models of timm and transformers read the weight of a layer instead, and
    there the product would be passed by. Torch's own `MultiheadAttention` is one of them and is left out.
    """

    def __init__(
        self,
        *,
        rank: int = 8,
        alpha: float = 16.0,
        dropout: float = 0.0,
        target: Sequence[str] | None = None,
        train: Sequence[str] = TRAINED,
    ) -> None:
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self.target = None if target is None else tuple(target)
        self.train = tuple(train)

    def __call__(self, network: Network, lengths: Mapping[str, int | None]) -> int:
        chosen = _layers(network) if self.target is None else _matching(network, self.target)
        check_awake(network, (parameter for layer in chosen.values() for parameter in layer.parameters()))
        return only(network, self.train, lambda: self._inject(network, [chosen[name] for name in sorted(chosen)]))

    def _inject(self, network: Network, layers: Sequence[nn.Module]) -> int:
        """Peft's layers in the place of these, wherever they stand.

        Peft finds layers by their path, and a modality may have the name of a module's attribute (`type`, `float`); so
        it is given a list of the layers alone.
        """
        from peft import LoraConfig, inject_adapter_in_model  # 3 s, with transformers: only where a spec names it

        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # any number: it is divided by the rank
            lora_dropout=self.dropout,
            target_modules=r"\d+",  # every one of the list
            bias="none",
        )
        listed = nn.ModuleList(layers)
        inject_adapter_in_model(config, listed)
        made = dict(zip(map(id, layers), listed, strict=True))
        for parent in list(network.modules()):
            for name, child in list(parent._modules.items()):
                if id(child) in made:
                    parent._modules[name] = made[id(child)]
        return len(layers)


def _layers(network: Network) -> Mapping[str, nn.Module]:
    """The linear layers of encoders and fusion, by name."""
    found = {name: layer for name, layer in _candidates(network).items() if isinstance(layer, nn.Linear)}
    if not found:
        raise BuildError(
            "lora found no linear layer in encoders and fusion; name convolutional ones with target: [encoders.*], or "
            "use bitfit or bottleneck"
        )
    return found


def _candidates(network: Network) -> dict[str, nn.Module]:
    """Every linear and convolutional layer of encoders and fusion."""
    unread = nn.modules.linear.NonDynamicallyQuantizableLinear  # MultiheadAttention's, which reads its weight
    return {
        name: module
        for name, module in network.named_modules()
        if name.startswith(PLACES) and isinstance(module, (nn.Linear, *CONVOLUTIONS)) and not isinstance(module, unread)
    }


def _matching(network: Network, target: Sequence[str]) -> Mapping[str, nn.Module]:
    candidates = _candidates(network)
    found: dict[str, nn.Module] = {}
    for pattern in target:
        matching = {name: layer for name, layer in candidates.items() if fnmatchcase(name, pattern)}
        if not matching:
            names = list(candidates)[:SHOWN] + (["..."] if len(candidates) > SHOWN else [])
            raise BuildError(
                f"target: '{pattern}' matches no linear or convolutional layer of encoders and fusion (they have: "
                f"{', '.join(names) or 'none'})"
            )
        found |= matching
    return found
