"""The smp encoder: the maps and their sizes, ASPP, weights, refusals."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from cggm_pipeline.encoders.smp import SMP
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input

TINY = "tu-test_resnet"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def maps(encoder: SMP, channels: int = 1, height: int = 64, width: int = 64) -> list[torch.Tensor]:
    values = encoder.eval()(Input(torch.randn(2, channels, height, width))).values
    assert isinstance(values, list)
    return values


@pytest.mark.parametrize(
    ("model", "widths"),
    [
        ("resnet18", (1, 64, 64, 128, 256, 512)),
        ("mobilenet_v2", (1, 16, 24, 32, 96, 1280)),
        ("mit_b0", (1, 0, 32, 64, 160, 256)),
        (TINY, (1, 32, 32, 48, 192, 96)),
        ("tu-convnext_atto", (1, 0, 40, 80, 160, 320)),
    ],
)
def test_maps_begin_with_the_image_and_halve(model: str, widths: tuple[int, ...]) -> None:
    encoder = SMP((1, 64, 64), model=model)
    assert encoder.widths == widths
    found = maps(encoder)
    assert [tuple(value.shape[1:]) for value in found] == [
        (width, 64 >> level, 64 >> level) for level, width in enumerate(widths)
    ]


@pytest.mark.parametrize("model", ["resnet18", TINY])
@pytest.mark.parametrize(("stride", "sizes"), [(8, [64, 32, 16, 8, 8, 8]), (16, [64, 32, 16, 8, 4, 4])])
def test_from_the_output_stride_on_maps_stay_as_large(model: str, stride: int, sizes: list[int]) -> None:
    dilated, plain = (SMP((1, 64, 64), model=model, output_stride=given) for given in (stride, 32))
    assert [value.shape[2] for value in maps(dilated)] == sizes
    assert sum(p.numel() for p in dilated.parameters()) == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels_depth_and_size(channels: int) -> None:
    encoder = SMP((channels, 48, 40), model=TINY, depth=3)
    assert encoder.widths == (channels, 32, 32, 48)
    assert [tuple(value.shape[2:]) for value in maps(encoder, channels, 48, 40)] == [
        (48, 40),
        (24, 20),
        (12, 10),
        (6, 5),
    ]


def test_aspp_replaces_the_last_map_and_has_the_paper_s_size() -> None:
    """1x1, three 3x3, pooling and projection, 2048 to 256 channels, each with its batch norm: 15,535,104."""
    rates = (2, 4, 6)
    with torch.device("meta"):
        encoder = SMP((1, 64, 64), model="resnet101", output_stride=16, aspp=256, atrous_rates=rates)
    assert encoder.widths == (1, 64, 256, 512, 1024, 256)
    one, three = 2048 * 256 + 512, 9 * 2048 * 256 + 512
    assert sum(p.numel() for p in encoder.aspp.parameters()) == 2 * one + 3 * three + 5 * 256 * 256 + 512 == 15_535_104
    assert sum(p.numel() for p in encoder.encoder.parameters()) == 42_493_888
    dilations = [
        m.dilation[0] for m in encoder.aspp.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] == 3
    ]
    assert dilations == list(rates)
    for rate in (0.5, 0.2):
        aspp = SMP((1, 64, 64), model=TINY, aspp=8, aspp_dropout=rate).aspp
        assert [m.p for m in aspp.modules() if isinstance(m, torch.nn.Dropout)] == [rate]
    assert maps(SMP((1, 64, 64), model=TINY, aspp=8, output_stride=16))[-1].shape == (2, 8, 4, 4)


@pytest.mark.parametrize("form", ["safetensors", "pth", "wrapped"])
@pytest.mark.parametrize("model", ["resnet18", TINY])
def test_local_weights_are_read_and_adapted_to_the_channels(model: str, form: str, project: Path) -> None:
    source = SMP((3, 32, 32), model=model).encoder
    state = {name: value.clone() for name, value in getattr(source, "model", source).state_dict().items()}
    path = project / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state} if form == "wrapped" else state, path)
    for channels in (3, 1):
        made = SMP((channels, 32, 32), model=model, weights=path.name, output_stride=16).encoder
        found = getattr(made, "model", made).state_dict()
        assert found.keys() == state.keys()
        same = {name for name, value in found.items() if value.shape == state[name].shape}
        assert len(state) - len(same) == (channels != 3)
        assert all(torch.equal(found[name], state[name]) for name in same)
        for name in found.keys() - same:
            torch.testing.assert_close(found[name], state[name].sum(1, keepdim=True))


@pytest.mark.parametrize("model", ["resnet18", TINY])
def test_weights_of_another_model_are_refused(model: str, project: Path) -> None:
    safetensors.torch.save_file({"conv.weight": torch.zeros(3)}, project / "other.safetensors")
    with pytest.raises(BuildError, match=r"weights: other\.safetensors (does not fit|lacks)"):
        SMP((1, 32, 32), model=model, weights="other.safetensors")


@pytest.mark.parametrize("model", ["resnet18", TINY])
def test_weight_files_that_run_code_or_are_garbage_are_refused(model: str, project: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path("ran"),))

    torch.save({"x": Evil()}, project / "evil.pth")
    (project / "w.safetensors").write_bytes(b"no tensors")
    (project / "list.pth").write_bytes(b"")
    for name in ("evil.pth", "w.safetensors", "list.pth"):
        with pytest.raises(BuildError, match=name):
            SMP((3, 32, 32), model=model, weights=name)
    assert not (project / "ran").exists()


@pytest.mark.parametrize("model", ["resnet18", TINY])
@pytest.mark.parametrize(
    ("path", "message"), [("none.pth", r"weights: none\.pth does not exist"), ("../out.pth", "leaves the project")]
)
def test_weight_paths_are_checked_without_reading_them(model: str, path: str, message: str, project: Path) -> None:
    (project.parent / "out.pth").write_bytes(b"x")
    (project / "there.pth").write_bytes(b"no weights")
    with torch.device("meta"):
        assert SMP((3, 32, 32), model=model, weights="there.pth").widths[0] == 3
        with pytest.raises(BuildError, match=message):
            SMP((3, 32, 32), model=model, weights=path)


@pytest.mark.parametrize("model", ["resnet18", "mit_b0", TINY])
def test_on_the_meta_device_nothing_is_read_or_kept(model: str) -> None:
    with torch.device("meta"):
        encoder = SMP((1, 32, 32), model=model, weights="imagenet", aspp=4)
    assert {p.device.type for p in (*encoder.parameters(), *encoder.buffers())} == {"meta"}


def test_wrong_names_get_the_nearest() -> None:
    with pytest.raises(BuildError, match="model: smp has no 'resnet81'; did you mean 'resnet18'"):
        SMP((1, 32, 32), model="resnet81")
    with pytest.raises(BuildError, match="model: timm has no 'resnet81'; did you mean 'resnet18'"):
        SMP((1, 32, 32), model="tu-resnet81")
    with pytest.raises(BuildError, match="tu-NAME is any timm model"):
        SMP((1, 32, 32), model="xyzzy")
    with pytest.raises(BuildError, match="smp has no 'timm-resnest14d'"):  # deprecated: smp warns
        SMP((1, 32, 32), model="timm-resnest14d")


@pytest.mark.parametrize(
    ("model", "stride", "message"),
    [
        ("vgg11", 16, r"smp cannot make 'vgg11' with in_channels=1, .*output_stride=16.*dilated"),
        ("tu-test_vit", 32, "smp cannot make 'tu-test_vit' .*Unsupported"),
    ],
)
def test_models_that_cannot_are_told_with_smp_s_reason(model: str, stride: int, message: str) -> None:
    with pytest.raises(BuildError, match=message), torch.device("meta"):
        SMP((1, 32, 32), model=model, output_stride=stride)


def test_hub_weights_that_cannot_be_fetched_are_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for model in ("resnet18", TINY):
        with pytest.raises(BuildError, match=rf"smp cannot make '{model}' with .*weights=(imagenet|True): .+"):
            SMP((1, 32, 32), model=model, weights="imagenet")
    with pytest.raises(BuildError, match=r"weights: nice does not exist; allowed for resnet18: null, imagenet"):
        SMP((1, 32, 32), model="resnet18", weights="nice")


def test_unknown_shapes_are_refused() -> None:
    with pytest.raises(BuildError, match=r"of fixed C, but the shape is \(10, 4\)"):
        SMP((10, 4), model=TINY)
