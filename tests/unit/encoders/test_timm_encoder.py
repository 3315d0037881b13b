"""The timm encoder: weights, freezing, refusals. The models are timm's own tiny test models."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from cggm_pipeline.encoders.timm import Timm
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_any_number_of_channels_and_size(model: str, channels: int) -> None:
    encoder = Timm((channels, 64, 48), model=model).eval()
    assert encoder(Input(torch.randn(2, channels, 64, 48))).tensor.shape == (2, *encoder.widths)


@pytest.mark.parametrize("form", ["safetensors", "pth", "wrapped"])
def test_local_weights_are_read(form: str, project: Path) -> None:
    source = Timm((3, 32, 32), model="test_resnet")
    state = {name: value.clone() for name, value in source.model.state_dict().items()}
    path = project / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state} if form == "wrapped" else state, path)
    made = Timm((3, 32, 32), model="test_resnet", pretrained=path.name)
    assert all(torch.equal(value, state[name]) for name, value in made.model.state_dict().items())
    one = Timm((1, 32, 32), model="test_resnet", pretrained=path.name)
    assert one(Input(torch.randn(2, 1, 32, 32))).tensor.isfinite().all()


def test_weight_files_that_run_code_are_refused(project: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path("ran"),))

    torch.save({"x": Evil()}, project / "evil.pth")
    with pytest.raises(BuildError, match="timm cannot make 'test_resnet'"):
        Timm((3, 32, 32), model="test_resnet", pretrained="evil.pth")
    assert not (project / "ran").exists()


@pytest.mark.parametrize(("path", "message"), [("none.pth", "does not exist"), ("../out.pth", "leaves the project")])
def test_weight_paths(path: str, message: str, project: Path) -> None:
    (project.parent / "out.pth").write_bytes(b"x")
    with pytest.raises(BuildError, match=message), torch.device("meta"):
        Timm((3, 32, 32), model="test_resnet", pretrained=path)


def test_garbage_weights_are_named(project: Path) -> None:
    (project / "w.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BuildError, match=r"w\.safetensors"):
        Timm((3, 32, 32), model="test_resnet", pretrained="w.safetensors")


def test_frozen_encoders_stay_as_they_are() -> None:
    encoder = Timm((3, 32, 32), model="test_resnet", freeze=True)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.train()
    encoder(Input(torch.randn(4, 3, 32, 32)))
    assert not encoder.model.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_wrong_names_get_the_nearest() -> None:
    with pytest.raises(BuildError, match="timm has no 'resnet81'; did you mean 'resnet18'"):
        Timm((3, 32, 32), model="resnet81")
    with pytest.raises(BuildError, match=r"no weights 'a1_in2k' of resnet18 \(allowed: .*resnet18.a1_in1k"):
        Timm((3, 32, 32), model="resnet18.a1_in2k")
    with pytest.raises(BuildError, match="timm has no"):
        Timm((3, 32, 32), model="hf-hub:someone/something")


def test_unknown_shapes_are_refused() -> None:
    with pytest.raises(BuildError, match=r"of fixed C, but the shape is \(10, 4\)"):
        Timm((10, 4), model="test_resnet")


def test_hub_weights_that_cannot_be_fetched_are_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BuildError, match=r"timm cannot make 'test_resnet\.r160_in1k' with .*pretrained=True.*: .+"):
        Timm((3, 32, 32), model="test_resnet.r160_in1k", pretrained=True)
