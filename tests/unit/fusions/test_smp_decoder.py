"""smp's decoders as fusions: against smp's own models, and what they refuse."""

from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch

from cggm_pipeline.errors import BuildError
from cggm_pipeline.fusions.smp_decoder import DECODERS, SMPDecoder
from cggm_pipeline.layers.features import Features
from cggm_pipeline.spec.fusions import SMPDecoder as Spec

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "unet": (smp.Unet, {}),
    "unetplusplus": (smp.UnetPlusPlus, {}),
    "fpn": (smp.FPN, {}),
    "deeplabv3plus": (smp.DeepLabV3Plus, {"encoder_output_stride": 16}),
    "segformer": (smp.Segformer, {}),
}
WIDTHS = (1, 8, 6, 4, 10, 12)
STRIDE = {"unet": 1, "unetplusplus": 1, "fpn": 4, "deeplabv3plus": 4, "segformer": 4}


def pyramid(widths: tuple[int, ...] = WIDTHS, size: int = 32, **changed: int) -> Features:
    generator = torch.Generator().manual_seed(0)
    return Features(
        [torch.randn(2, w, size >> level, size >> level, generator=generator) for level, w in enumerate(widths)]
    )


def settings(module: torch.nn.Module) -> list[str]:
    """Kernel, stride, padding, dilation, groups of every convolution; the dropouts."""
    return [
        str(each)
        for each in module.modules()
        if isinstance(each, torch.nn.Conv2d | torch.nn.modules.dropout._DropoutNd)
    ]


@pytest.mark.parametrize("decoder", MODELS)
def test_it_is_smp_s_own_decoder(decoder: str) -> None:
    kind, options = MODELS[decoder]
    model = kind("tu-test_resnet", encoder_weights=None, in_channels=1, **options).eval()
    made = SMPDecoder({"a": tuple(model.encoder.out_channels)}, decoder=decoder).eval()  # type: ignore[arg-type]
    made.decoder.load_state_dict(model.decoder.state_dict())
    assert settings(made.decoder) == settings(model.decoder)  # small maps do not tell one dilation from another
    with torch.no_grad():
        maps = model.encoder(torch.randn(2, 1, 64, 64))
        expected = model.decoder(maps)
        z = made({"a": Features(maps)}).tensor
    assert z.shape == (2, made.width, 64 // STRIDE[decoder], 64 // STRIDE[decoder])
    torch.testing.assert_close(z, expected)


@pytest.mark.parametrize("decoder", MODELS)
def test_modalities_stand_side_by_side_at_every_level(decoder: str) -> None:
    given = {name: pyramid(widths) for name, widths in {"b": WIDTHS, "a": (1, 3, 3, 3, 3, 3)}.items()}
    both = SMPDecoder({"b": WIDTHS, "a": (1, 3, 3, 3, 3, 3)}, decoder=decoder).eval()  # type: ignore[arg-type]
    stacked = SMPDecoder({"x": tuple(w + v for w, v in zip(WIDTHS, (1, 3, 3, 3, 3, 3), strict=True))}, decoder=decoder)  # type: ignore[arg-type]
    stacked.eval().load_state_dict(both.state_dict())
    levels = zip(given["a"].values, given["b"].values, strict=True)
    joined = Features([torch.cat(level, 1) for level in levels])
    assert torch.equal(both(given).tensor, stacked({"x": joined}).tensor)


@pytest.mark.parametrize("decoder", MODELS)
def test_pyramids_that_begin_with_a_quarter_have_an_empty_map(decoder: str) -> None:
    widths = (1, 0, 6, 4, 10, 12)
    made = SMPDecoder({"a": widths, "b": widths}, decoder=decoder)  # type: ignore[arg-type]
    z = made({name: pyramid(widths) for name in "ab"}).tensor
    assert z.shape[:2] == (2, made.width)
    assert z.isfinite().all()


@pytest.mark.parametrize(
    ("decoder", "options", "width"),
    [
        ("unet", {"channels": (9, 8, 7, 6, 5)}, 5),
        ("unetplusplus", {"channels": (9, 8, 7, 6, 5)}, 5),
        ("fpn", {"width": 64, "dropout": 0.5}, 64),
        ("deeplabv3plus", {"width": 24, "dropout": 0.25}, 24),
        ("segformer", {"width": 24}, 24),
    ],
)
def test_options_reach_the_decoder(decoder: str, options: dict[str, Any], width: int) -> None:
    made = SMPDecoder({"a": WIDTHS}, decoder=decoder, **options)  # type: ignore[arg-type]
    assert made.width == width == made({"a": pyramid()}).tensor.shape[1]
    if "dropout" in options:
        rates = {m.p for m in made.modules() if isinstance(m, torch.nn.Dropout | torch.nn.Dropout2d)}
        assert rates == {options["dropout"]}


@pytest.mark.parametrize("decoder", MODELS)
@pytest.mark.parametrize("option", ["channels", "width", "dropout"])
def test_the_spec_and_the_decoder_agree_on_its_options(decoder: str, option: str) -> None:
    value: Any = {"channels": (64, 32, 16, 8, 4), "width": 32, "dropout": 0.3}[option]
    assert set(DECODERS) == set(Spec.options) == set(MODELS)
    if option in Spec.options[decoder]:
        SMPDecoder({"a": WIDTHS}, decoder=decoder, **{option: value})  # type: ignore[arg-type]
    else:
        with pytest.raises(BuildError, match=f"{option}: {decoder} has no such option"):
            SMPDecoder({"a": WIDTHS}, decoder=decoder, **{option: value})  # type: ignore[arg-type]


def test_fewer_levels_take_the_last_of_smp_s_channels() -> None:
    made = SMPDecoder({"a": WIDTHS[:4]}, decoder="unet")
    assert [block.conv1[0].out_channels for block in made.decoder.blocks] == [64, 32, 16]


@pytest.mark.parametrize(
    ("widths", "options", "message"),
    [
        (WIDTHS, {"decoder": "unet", "channels": (8, 4)}, "channels: 2 numbers for 5 blocks"),
        ((1,) * 7, {"decoder": "unet"}, "channels: write them out"),
        (WIDTHS, {"decoder": "fpn", "width": 100}, "width: fpn .* 100 is no multiple of 32"),
        (WIDTHS, {"decoder": "fpn", "width": 48}, "width: fpn .* 48 is no multiple of 32"),
        ((1, 0, 4, 8), {"decoder": "fpn"}, "fpn adds up the last 4 maps, and one of them has no channels"),
        ((1, 4, 8), {"decoder": "segformer"}, "at least 4 maps, but the pyramids have 3"),
    ],
)
def test_what_cannot_be_built_is_said(widths: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        SMPDecoder({"a": widths}, **options)


def test_each_side_is_looked_at() -> None:
    given = {"a": Features([torch.randn(2, w, 32 >> k, max(32 >> k, 2)) for k, w in enumerate(WIDTHS)])}
    with pytest.raises(BuildError, match=r"after \(2, 2\) comes \(1, 2\)"):
        SMPDecoder({"a": WIDTHS}, decoder="fpn")(given)


@pytest.mark.parametrize("decoder", MODELS)
def test_it_starts_as_smp_s_does(decoder: str) -> None:
    """Uniform after He for convolutions, and biases of zero (torch draws those)."""
    torch.manual_seed(0)
    for module in SMPDecoder({"a": WIDTHS}, decoder=decoder).modules():  # type: ignore[arg-type]
        if isinstance(module, torch.nn.Conv2d):
            bound = (6 / module.weight[0].numel()) ** 0.5
            assert 0.8 * bound < module.weight.abs().max() <= bound
            assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize("decoder", MODELS)
@pytest.mark.parametrize("form", ["odd", "dilated"])
def test_maps_that_are_not_halves(decoder: str, form: str) -> None:
    sizes = {"odd": (40, 20, 10, 5, 3, 2), "dilated": (32, 16, 8, 4, 2, 2)}[form]
    given = {"a": Features([torch.randn(2, w, side, side) for w, side in zip(WIDTHS, sizes, strict=True)])}
    made = SMPDecoder({"a": WIDTHS}, decoder=decoder)  # type: ignore[arg-type]
    if decoder in ("unetplusplus", "fpn"):
        with pytest.raises(BuildError, match=f"decoder: {decoder} doubles each map, but after"):
            made(given)
    else:
        assert made(given).tensor.shape[2:] == (sizes[0] // STRIDE[decoder],) * 2
