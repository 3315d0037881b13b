"""The gradient of the direction term, in every parameter, against a true double backward pass through the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cggm_pipeline.modulations import CGGM, Parts, Step, accuracy
from cggm_pipeline.tasks.losses.cross_entropy_dice import CrossEntropyDice
from cggm_pipeline.tasks.losses.lovasz import Lovasz
from cggm_pipeline.tasks.losses.smp_loss import SMPLoss
from cggm_pipeline.tasks.segmentation import Segmentation

LAM = 0.7


class Classifier(nn.Module):
    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def vector_case():
    encoders = {"a": nn.Linear(4, 5), "b": nn.Linear(3, 5)}
    fusion, head = nn.Sequential(nn.Linear(10, 7), nn.Tanh()), nn.Linear(7, 3)
    classifiers = {name: Classifier(nn.Linear(5, 7), nn.Linear(7, 3)) for name in encoders}
    inputs = {"a": torch.randn(6, 4).double(), "b": torch.randn(6, 3).double()}
    return encoders, fusion, head, classifiers, inputs, torch.randint(3, (6,)), None


def block_case():
    """The head reads the concatenation, each classifier its own block; `a` lies last."""
    encoders = {"a": nn.Linear(4, 5), "b": nn.Linear(3, 2)}
    classifiers = {n: Classifier(nn.Identity(), nn.Linear(w, 3)) for n, w in (("a", 5), ("b", 2))}
    inputs = {"b": torch.randn(6, 3).double(), "a": torch.randn(6, 4).double()}
    places = {"a": slice(2, 7), "b": slice(0, 2)}
    return encoders, nn.Identity(), nn.Linear(7, 3), classifiers, inputs, torch.randint(3, (6,)), places


def convolution_case():
    encoders = {"a": nn.Conv2d(2, 4, 3, padding=1), "b": nn.Conv2d(1, 4, 3, padding=1)}
    fusion, head = nn.Sequential(nn.Conv2d(8, 5, 3, padding=1), nn.Tanh()), nn.Conv2d(5, 3, 1)
    classifiers = {name: Classifier(nn.Conv2d(4, 5, 1), nn.Conv2d(5, 3, 1)) for name in encoders}
    inputs = {"a": torch.randn(2, 2, 6, 6).double(), "b": torch.randn(2, 1, 6, 6).double()}
    return encoders, fusion, head, classifiers, inputs, torch.randint(3, (2, 6, 6)), None


def coarse_case():
    """Segmentation: z and the logits are half as large as the mask, in one direction not even by a whole number."""
    encoders, fusion, head, classifiers, _, _, _ = convolution_case()
    inputs = {"a": torch.randn(2, 2, 6, 4).double(), "b": torch.randn(2, 1, 6, 4).double()}
    return encoders, fusion, head, classifiers, inputs, torch.randint(3, (2, 12, 11)), None


def forward(encoders, fusion, head, inputs):
    features = {name: encoders[name](x) for name, x in inputs.items()}
    fused = fusion(torch.cat(list(features.values()), 1))
    return features, fused, head(fused)


def double_backward(loss, head, own, coefficients, places, parameters):
    """L_gm written out, its gradient by autograd through the gradient of the head's weight."""
    whole = torch.autograd.grad(loss, head.weight, create_graph=True)[0].flatten(1)
    value = 0
    for name, b in coefficients.items():
        place = places[name] if places else slice(None)
        cosine = functional.cosine_similarity(whole[:, place].flatten(), own[name].flatten(), dim=0)
        value = value + (abs(b) - b * cosine) / len(coefficients)
    return value, torch.autograd.grad(loss + LAM * value, parameters)


MASKS = Segmentation(3, loss=CrossEntropyDice(class_weights=[0.2, 0.5, 0.3]))


@pytest.mark.parametrize(
    ("case", "criterion", "score"),
    [
        *[(case, functional.cross_entropy, accuracy) for case in (vector_case, block_case, convolution_case)],
        (coarse_case, MASKS.loss, MASKS.score),
        (coarse_case, Segmentation(3, loss=Lovasz()).loss, MASKS.score),
        (coarse_case, Segmentation(3, loss=SMPLoss(loss="tversky", alpha=0.3, beta=0.7)).loss, MASKS.score),
    ],
    ids=["vector", "block", "convolution", "coarse", "coarse-lovasz", "coarse-tversky"],
)
def test_equals_double_backward(case, criterion, score):
    torch.manual_seed(0)
    encoders, fusion, head, classifiers, inputs, target, places = case()
    network = nn.ModuleList([*encoders.values(), fusion, head]).double()
    cggm = CGGM(Parts(encoders), classifiers, head, criterion, score, preset="paper", lam=LAM, rho=None)
    cggm.double()

    features, fused, logits = forward(encoders, fusion, head, inputs)
    record = cggm.backward(criterion(logits, target), Step(features, fused, logits, target, blocks=places))

    features, fused, logits = forward(encoders, fusion, head, inputs)
    own = {
        name: torch.autograd.grad(
            criterion(classifiers[name](features[name].detach()), target), classifiers[name].head.weight
        )[0]
        for name in encoders
    }
    b = {name: value.item() for name, value in record["B"].items()}
    loss = criterion(logits, target)
    value, expected = double_backward(loss, head, own, b, places, list(network.parameters()))
    assert record["l_gm"].item() == pytest.approx(value.item(), rel=1e-9)
    assert any(abs(x) > 0.05 for x in b.values())
    for found, right in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(found.grad, right, rtol=1e-9, atol=1e-12)


def test_features_in_a_row_need_no_blocks():
    """Stand-alone: without `Step.blocks` the blocks are as in the order of `step.features`."""
    gradients = []
    for named in (True, False):
        torch.manual_seed(0)
        encoders, fusion, head, classifiers, inputs, target, places = block_case()
        nn.ModuleList([*encoders.values(), head]).double()
        cggm = CGGM(Parts(encoders), classifiers, head, functional.cross_entropy, accuracy, preset="paper").double()
        features, fused, logits = forward(encoders, fusion, head, inputs)
        step = Step(features, fused, logits, target, blocks=places if named else None)
        cggm.backward(functional.cross_entropy(logits, target), step)
        gradients.append([p.grad.clone() for module in (*encoders.values(), head) for p in module.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)
