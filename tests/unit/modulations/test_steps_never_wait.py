"""AMCo, CML, DGL, MBSD and MMPareto: a step of theirs never waits for the device."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import Classifier, Net, batches
from scored_toy import Concatenated, stepped
from test_surroundings import HostSync
from torch.nn import functional

from cggm_pipeline.modulations import CML, DGL, MBSD, AMCo, MMPareto, Parts

LOSS = functional.cross_entropy
MAKE = {
    "amco": lambda parts, head, classifiers: AMCo(parts, head, LOSS),
    "cml": lambda parts, head, classifiers: CML(LOSS),
    "dgl": lambda parts, head, classifiers: DGL(LOSS),
    "mbsd": lambda parts, head, classifiers: MBSD(head, LOSS),
    "mm_pareto": lambda parts, head, classifiers: MMPareto(parts, classifiers, LOSS),
    "mm_pareto-released": lambda parts, head, classifiers: MMPareto(parts, classifiers, LOSS, form="released"),
}


@pytest.mark.parametrize("network", [Net, Concatenated])
@pytest.mark.parametrize("key", MAKE)
def test_no_host_synchronisation(key, network):
    net = network("abc").double()
    method = MAKE[key](Parts(dict(net.encoders.items())), net.head, {n: Classifier().double() for n in "abc"})
    method.start_epoch(3)
    for index, (inputs, target) in enumerate(batches("abc", 3, 8)):
        with HostSync():
            step = stepped(net, method, inputs, target, epoch=3, index=index)
            method.backward(LOSS(step.logits, target), step)
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())
