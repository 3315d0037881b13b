"""The projection: a plain convolution over time, what padding may not do, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from cggm_pipeline.encoders.projection import Projection
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input
from cggm_pipeline.spec.encoders import Projection as ProjectionSpec

X = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
MASK = torch.arange(6) >= torch.tensor([[6], [4], [0]])


def made(**options: object) -> Projection:
    torch.manual_seed(0)
    return Projection((6, 4), **{"width": 5} | options).double().eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_it_is_a_convolution_over_time(kernel: int) -> None:
    encoder = made(kernel=kernel)
    weight, bias = encoder.convolution.weight, encoder.convolution.bias
    tokens = encoder(Input(X)).tensor
    assert tokens.shape == (3, 6, 5)
    for time in range(6):
        expected = bias.clone()
        for step in range(kernel):
            read = time + step - kernel // 2
            if 0 <= read < 6:
                expected = expected + X[:, read] @ weight[:, :, step].T
        torch.testing.assert_close(tokens[:, time], expected)


@pytest.mark.parametrize("kernel", [1, 3])
def test_padding_is_zero_and_is_not_read(kernel: int) -> None:
    encoder = made(kernel=kernel)
    features = encoder(Input(X.masked_fill(MASK[..., None], torch.nan), MASK))
    assert features.mask is MASK
    assert not features.tensor[MASK].any()
    torch.testing.assert_close(features.tensor[1, :4], encoder(Input(X[1:2, :4])).tensor[0])


def test_the_mean_is_over_what_is_there() -> None:
    tokens, means = made()(Input(X, MASK)).tensor, made(output="mean")(Input(X, MASK)).tensor
    expected = torch.stack([tokens[0].mean(0), tokens[1, :4].mean(0), torch.zeros(5, dtype=torch.float64)])
    torch.testing.assert_close(means, expected)


def test_dropout_is_of_the_input_and_in_training() -> None:
    encoder, plain = made(dropout=0.5, bias=False), made(bias=False)
    assert torch.equal(encoder(Input(X)).tensor, plain(Input(X)).tensor)
    torch.manual_seed(0)
    dropped = torch.nn.functional.dropout(X, 0.5)
    torch.manual_seed(0)
    torch.testing.assert_close(encoder.train()(Input(X)).tensor, plain(Input(dropped)).tensor)


def test_shapes_that_it_refuses() -> None:
    for shape in [(6,), (3, 8, 8), (6, None)]:
        with pytest.raises(BuildError, match=r"projection reads sequences \(T, D\) of fixed D, but the shape is"):
            Projection(shape)


def test_the_spec_knows_layout_and_width() -> None:
    for output, layout in (("tokens", "tokens"), ("mean", "vector")):
        spec = ProjectionSpec.model_validate({"kind": "projection", "width": 5, "output": output})
        encoder = Projection((None, 4), **spec.arguments())  # type: ignore[arg-type]
        assert spec.layout == encoder.layout == layout
        assert (spec.features_width,) == encoder.widths == (5,)
