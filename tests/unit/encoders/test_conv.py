"""Convolutional encoders: padding, shapes, refusals."""

import pytest
import torch

from cggm_pipeline.encoders.conv import Conv
from cggm_pipeline.encoders.mlp import MLP
from cggm_pipeline.encoders.transformer import Transformer
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("length", [1, 5, 8])
def test_a_padded_sequence_gives_what_the_cut_one_gives(kernel: int, activation: str, length: int) -> None:
    torch.manual_seed(0)
    encoder = Conv((None, 4), channels=(6, 5, 3), kernel=kernel, activation=activation).double().eval()
    sequence = torch.randn(1, length, 4, dtype=torch.float64)
    padded = torch.cat([sequence, torch.full((1, 7, 4), 9.0, dtype=torch.float64)], 1)
    mask = torch.tensor([[False] * length + [True] * 7])
    cut = encoder(Input(sequence, torch.zeros(1, length, dtype=torch.bool))).tensor
    torch.testing.assert_close(encoder(Input(padded, mask)).tensor, cut)


def test_without_padding_a_mask_changes_nothing() -> None:
    torch.manual_seed(1)
    encoder = Conv((8, 4)).eval()
    x = torch.randn(3, 8, 4)
    torch.testing.assert_close(encoder(Input(x, torch.zeros(3, 8, dtype=torch.bool))).tensor, encoder(Input(x)).tensor)


def test_images_of_one_pixel_pass() -> None:
    assert Conv((1, 1, 1)).eval()(Input(torch.ones(2, 1, 1, 1))).tensor.shape == (2, 32)


def test_a_pyramid_has_every_stage() -> None:
    features = Conv((3, 16, 16), channels=(4, 6, 8), output="pyramid")(Input(torch.randn(2, 3, 16, 16)))
    assert [tuple(values.shape) for values in features.values] == [(2, 4, 16, 16), (2, 6, 8, 8), (2, 8, 4, 4)]


def test_refusals_say_what_was_found() -> None:
    with pytest.raises(BuildError, match=r"reads sequences \(T, D\) and images"):
        Conv((5,))
    with pytest.raises(BuildError, match="fixed number of channels"):
        Conv((5, None))
    with pytest.raises(BuildError, match="use output: vector"):
        Conv((5, 6), output="pyramid")
    with pytest.raises(BuildError, match=r"needs a fixed shape, but the shape is \(None, 4\)"):
        MLP((None, 4))
    with pytest.raises(BuildError, match="of fixed D"):
        Transformer((7,))


def test_the_papers_network_has_the_papers_number_of_parameters() -> None:
    """CGGM's CMU-MOSI network: 371,721; encoders, fusion and head as the authors' code counts them."""
    from cggm_pipeline.fusions.transformer import Transformer as Fusion

    modules = [Transformer((50, size), width=40, heads=5, layers=5) for size in (300, 5, 20)]
    modules += [Fusion(dict.fromkeys("avt", 40), heads=5, layers=3), torch.nn.Linear(40, 1)]
    assert sum(parameter.numel() for module in modules for parameter in module.parameters()) == 371_721
