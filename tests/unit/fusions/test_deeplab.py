"""The DeepLabv3+ decoder over several pyramids: its equation, its parameters, its refusals."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.deeplab import DeepLab
from cggm_pipeline.layers.features import Features

WIDTHS = {"b": (1, 3, 5, 7), "a": (1, 2, 4, 6)}
RESNET101 = (1, 64, 256, 512, 1024, 256)


def pyramids(widths: Mapping[str, tuple[int, ...]] = WIDTHS, size: tuple[int, int] = (16, 24)) -> dict[str, Features]:
    torch.manual_seed(0)
    return {
        name: Features([torch.randn(2, w, size[0] >> level, size[1] >> level) for level, w in enumerate(levels)])
        for name, levels in widths.items()
    }


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_equation_term_by_term() -> None:
    made, given = DeepLab(WIDTHS, width=8, low_width=3).eval(), pyramids()

    def convolved(module: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
        convolution, norm = module[0], module[1]
        out = F.conv2d(x, convolution.weight, padding=convolution.weight.shape[-1] // 2)
        return F.relu(F.batch_norm(out, norm.running_mean, norm.running_var, norm.weight, norm.bias))

    low = convolved(made.low, torch.cat([given["a"].values[2], given["b"].values[2]], 1))
    coarsest = torch.cat([given["a"].values[3], given["b"].values[3]], 1)
    upsampled = F.interpolate(coarsest, size=(4, 6), mode="bilinear", align_corners=False)
    expected = convolved(made.second, convolved(made.first, torch.cat([upsampled, low], 1)))
    z = made(given).tensor
    assert z.shape == (2, 8, 4, 6)
    torch.testing.assert_close(z, expected)


def test_dropout_acts_after_the_convolutions_in_training_alone() -> None:
    given = pyramids()
    made = DeepLab(WIDTHS, width=8, low_width=3, dropout=(0.5, 0.25))
    assert (made.first[-1].p, made.second[-1].p) == (0.5, 0.25)
    plain = DeepLab(WIDTHS, width=8, low_width=3, dropout=(0.0, 0.0))
    plain.load_state_dict(made.state_dict())
    assert not torch.equal(made(given).tensor, plain(given).tensor)
    assert torch.equal(made.eval()(given).tensor, made(given).tensor)


def test_the_released_decoder_line_by_line() -> None:
    """Four contrasts of ResNet-101 with ASPP: papers' 3,109,984; one contrast, as a classifier: 1,303,648."""
    with torch.device("meta"):
        shared, own = DeepLab(dict.fromkeys("abcd", RESNET101)), DeepLab({"a": RESNET101})
    low, first, second = 4 * 256 * 48 + 96, 9 * (4 * 256 + 48) * 256 + 512, 9 * 256 * 256 + 512
    assert [count(shared.low), count(shared.first), count(shared.second)] == [low, first, second]
    assert (low, first, second) == (49_248, 2_470_400, 590_336)
    low, first = 256 * 48 + 96, 9 * (256 + 48) * 256 + 512
    assert [count(own.low), count(own.first), count(own.second)] == [low, first, second]
    assert (low, first) == (12_384, 700_928)


def test_the_low_level_is_found_by_its_place() -> None:
    made = DeepLab(WIDTHS, width=8, low_width=3, low_level=1)
    assert made(pyramids()).tensor.shape == (2, 8, 8, 12)
    given = pyramids()
    for name in given:
        given[name].values[2].fill_(torch.nan)  # neither the low level nor the last
    assert made(given).tensor.isfinite().all()


@pytest.mark.parametrize("low_level", [3, 4, 9])
def test_the_low_level_lies_before_the_last_map(low_level: int) -> None:
    with pytest.raises(
        BuildError, match=rf"low_level: {low_level} is not before the last of 4 maps \(allowed: 0 to 2\)"
    ):
        DeepLab(WIDTHS, low_level=low_level)


def test_pyramids_of_different_depths_are_refused() -> None:
    with pytest.raises(BuildError, match="their numbers of maps are: a 3, b 4"):
        DeepLab({"a": (1, 2, 3), "b": (1, 2, 3, 4)})
