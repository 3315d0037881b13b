"""Compiled encoders and fusion, and CUDA graphs: the same gradients as eager."""

from __future__ import annotations

import pytest
import torch
from modulation_toy import ALL, batches, build, furthest, optimizer_of, state, step_of, train
from torch.nn import functional

EACH = pytest.mark.parametrize("key", ["unimodal_losses", "ogm_ge", "cggm-paper", "cggm-released", "cggm-stable"])
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo's own, on a fusion
@EACH
def test_compiled_encoders_and_fusion(key):
    """A compiled graph has no second derivative: none is asked of it. (aot_eager: the real autograd, no C compiler.)"""
    kind, options = ALL[key]
    results = []
    for backend in (None, "aot_eager"):
        net, method = build(kind, **options)
        optimizer = optimizer_of(net, method)
        if backend:
            for module in (net.fusion, *(encoder for _, encoder in net.encoders.items())):
                module.compile(backend=backend)
        torch.manual_seed(1)
        train(net, method, optimizer, batches("abc", 3, 8))
        results.append(state(net, method))
    torch.compiler.reset()
    assert furthest(*results) < 1e-9


@pytest.mark.gpu
@CUDA
@EACH
def test_no_synchronisation_on_a_gpu(key):
    kind, options = ALL[key]
    net, method = build(kind, dtype=torch.float32, **options)
    net.cuda()
    method.cuda()
    for inputs, target in batches("abc", 3, 8, dtype=torch.float32):
        inputs, target = {n: x.cuda() for n, x in inputs.items()}, target.cuda()
        step = step_of(net, inputs, target)
        torch.cuda.set_sync_debug_mode("error")
        try:
            method.backward(functional.cross_entropy(step.logits, target), step)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@CUDA
@EACH
def test_a_captured_cuda_graph_equals_eager(key):
    kind, options = ALL[key]
    options = {**options, "noise": False} if kind == "ogm_ge" else options
    data = [({n: x.cuda() for n, x in i.items()}, t.cuda()) for i, t in batches("abc", 6, 8)]
    results = []
    for captured in (False, True):
        net, method = build(kind, **options)
        net.cuda()
        method.cuda()
        groups = [{"params": [*net.parameters(), *method.parameters()]}]
        optimizer = torch.optim.Adam(groups, lr=1e-2, capturable=True)
        inputs, target = {n: x.clone() for n, x in data[0][0].items()}, data[0][1].clone()

        def run(net=net, method=method, optimizer=optimizer, inputs=inputs, target=target):
            optimizer.zero_grad()
            step = step_of(net, inputs, target)
            method.backward(functional.cross_entropy(step.logits, target), step)
            optimizer.step()

        def load(batch, inputs=inputs, target=target):
            for name, values in batch[0].items():
                inputs[name].copy_(values)
            target.copy_(batch[1])

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for batch in data[:3]:
                load(batch)
                run()
        torch.cuda.current_stream().wait_stream(stream)
        again = run
        if captured:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                run()
            again = graph.replay
        for batch in data[3:]:
            load(batch)
            again()
        torch.cuda.synchronize()
        results.append(state(net, method))
    assert furthest(*results) < 1e-9
