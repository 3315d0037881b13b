"""The paper's sequence network (CMU-MOSI: text 300, audio 5, vision 20; 50 tokens), and steps of it to time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from cggm_pipeline.classifiers.tokens import TokenClassifier
from cggm_pipeline.encoders.transformer import Transformer as Encoder
from cggm_pipeline.fills.zeros import Zeros
from cggm_pipeline.fusions.transformer import Transformer as Fusion
from cggm_pipeline.layers.features import Input
from cggm_pipeline.modulations import CGGM, Modulation, NoModulation, Parts, Step, UnimodalLosses, sign_accuracy
from cggm_pipeline.network import Network

DIMENSIONS = {"audio": 5, "text": 300, "vision": 20}
BATCH, TOKENS, WIDTH, HEADS = 64, 50, 40, 5
RATES = {"attention_dropout": 0.15, "relu_dropout": 0.15, "embedding_dropout": 0.2, "residual_dropout": 0.1}

StepOnce = Callable[[], object]


class Bench:
    """One network, its classifiers and a batch; `plain`, `classifiers_alone` and `method` make steps of them."""

    def __init__(self, device: str = "cpu", *, capturable: bool = False) -> None:
        torch.manual_seed(0)
        self.device, self.capturable = device, capturable
        encoders = {
            name: Encoder((TOKENS, size), width=WIDTH, heads=HEADS, layers=5, **RATES)
            for name, size in DIMENSIONS.items()
        }
        fusion = Fusion(dict.fromkeys(DIMENSIONS, WIDTH), heads=HEADS, layers=3, output_dropout=0.1, **RATES)
        self.network = Network(encoders, Zeros(dict.fromkeys(DIMENSIONS, WIDTH)), fusion, torch.nn.Linear(WIDTH, 1)).to(
            device
        )
        self.classifiers = {
            name: TokenClassifier(WIDTH, WIDTH, 1, layers=2, heads=HEADS, dropout=0.1).to(device) for name in DIMENSIONS
        }
        self.inputs = {
            name: Input(torch.randn(BATCH, TOKENS, size, device=device)) for name, size in DIMENSIONS.items()
        }
        self.target = torch.randn(BATCH, 1, device=device)

    def _adam(self, groups: list[dict[str, object]]) -> torch.optim.Adam:
        return torch.optim.Adam(groups, capturable=self.capturable)

    def plain(self) -> StepOnce:
        """Joint training: forward, backward, Adam."""
        return self.method(NoModulation())

    def classifiers_alone(self) -> StepOnce:
        """The classifiers' own training on features that are there already."""
        with torch.no_grad():
            features = self.network(self.inputs).features
        parameters = [p for classifier in self.classifiers.values() for p in classifier.parameters()]
        adam = self._adam([{"params": parameters, "lr": 5e-4}])

        def step() -> None:
            adam.zero_grad()
            logits = [self.classifiers[name](features[name]) for name in self.classifiers]
            torch.stack([functional.l1_loss(own, self.target) for own in logits]).sum().backward()
            adam.step()

        return step

    def method(self, method: Modulation) -> StepOnce:
        """A step with a balancing method."""
        groups: list[dict[str, object]] = [{"params": list(self.network.parameters()), "lr": 1e-3}]
        own = list(method.parameters())
        adam = self._adam([*groups, {"params": own, "lr": 5e-4}] if own else groups)

        def step() -> None:
            adam.zero_grad()
            step, loss = self.forward()
            method.backward(loss, step)
            adam.step()

        return step

    def forward(self) -> tuple[Step, torch.Tensor]:
        out = self.network(self.inputs)
        step = Step(out.features, out.fused, out.logits, self.target, blocks=out.blocks, rerun=out.rerun)
        return step, functional.l1_loss(out.logits, self.target)

    def cggm(self, preset: str = "paper", **options: float) -> CGGM:
        parts = Parts(dict(self.network.encoders.items()))
        head = self.network.head
        return CGGM(parts, self.classifiers, head, functional.l1_loss, sign_accuracy, preset=preset, **options)  # type: ignore[arg-type]

    def unimodal_losses(self) -> UnimodalLosses:
        return UnimodalLosses(self.classifiers, functional.l1_loss)
