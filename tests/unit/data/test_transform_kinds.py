"""Each transform does what it says; its signature is its spec's."""

from __future__ import annotations

import inspect
import typing

import pytest
import torch

from cggm_pipeline.build import data as build_data
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.build.transforms import build_transforms
from cggm_pipeline.data.manifest import Statistics
from cggm_pipeline.data.prepared import Prepared
from cggm_pipeline.data.transforms.flip import Flip
from cggm_pipeline.data.transforms.mask import Mask
from cggm_pipeline.data.transforms.noise import Noise
from cggm_pipeline.data.transforms.normalise import Normalise
from cggm_pipeline.data.transforms.resize import Resize
from cggm_pipeline.data.transforms.scale import Scale
from cggm_pipeline.data.transforms.shift import Shift
from cggm_pipeline.errors import DataError
from cggm_pipeline.spec import dataset as spec_dataset
from cggm_pipeline.spec import sources as spec_sources
from cggm_pipeline.spec import transforms as spec_transforms
from cggm_pipeline.spec.experiment import Experiment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(batch: int = 400, channels: int = 2, height: int = 5, width: int = 6) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=generator(7)) + 0.5


def kinds(union: typing.Any) -> dict[str, type]:
    members = typing.get_args(typing.get_args(union)[0])
    return {typing.get_args(member.model_fields["kind"].annotation)[0]: member for member in members}


ROOMS = [
    (kinds(spec_transforms.Transform), TABLES["transforms"]),
    (kinds(spec_transforms.Augmentation), TABLES["augmentations"]),
    (kinds(spec_sources.RawSource), TABLES["sources"]),
    (kinds(spec_sources.Split), build_data.SPLITS),
    (kinds(spec_dataset.Target), build_data.TARGETS),
]


@pytest.mark.parametrize(
    ("spec", "place"),
    [(spec, table[kind]) for specs, table in ROOMS for kind, spec in specs.items()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keyword_arguments_and_defaults_are_those_of_the_spec(spec: type, place: str) -> None:
    cls = implementation(place)
    assert cls.__name__ == spec.__name__
    keywords = {
        name: parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    fields = {
        name: inspect.Parameter.empty if field.is_required() else field.default
        for name, field in spec.model_fields.items()
        if name != "kind"
    }
    assert keywords == fields


@pytest.mark.parametrize(("specs", "table"), ROOMS)
def test_every_kind_has_an_implementation_and_no_more(specs, table) -> None:
    assert set(specs) == set(table)


def test_resize_keeps_constants_and_sizes() -> None:
    values = torch.full((2, 3, 7, 9), 4.0)
    assert torch.allclose(Resize(size=(3, 5))(values, None, None), torch.full((2, 3, 3, 5), 4.0))


def test_resize_by_half_averages_with_antialiasing() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    small = Resize(size=(4, 4))(ramp, None, None)
    assert torch.allclose(small[0, 0, 0, 1:3], torch.tensor([2.5, 4.5]))


def test_normalise_with_given_numbers() -> None:
    step = Normalise(mean=(1.0, 2.0), std=(2.0, 4.0))
    values = images()
    out = step(values, None, None)
    assert torch.allclose(out[:, 0], (values[:, 0] - 1) / 2)
    assert torch.allclose(out[:, 1], (values[:, 1] - 2) / 4)
    vectors = torch.tensor([[3.0, 10.0]])
    assert step(vectors, None, None).tolist() == [[1.0, 2.0]]


def test_normalise_with_training_statistics_gives_zero_and_one(digits: Prepared) -> None:
    values = torch.from_numpy(digits.split("train").take("noisy", range(1078)))
    out = Normalise(digits.manifest.statistics["noisy"])(values, None, None)
    assert abs(float(out.mean())) < 1e-5
    assert abs(float(out.std(correction=0)) - 1) < 1e-5


def test_normalise_only_centres_a_channel_that_never_varies() -> None:
    out = Normalise(Statistics((2.0, 3.0), (0.0, 2.0), 9))(torch.tensor([[2.0, 5.0]]), None, None)
    assert out.tolist() == [[0.0, 1.0]]


def test_normalise_refuses_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="3 numbers in mean for 2 channels"):
        Normalise(mean=(1, 2, 3), std=(1, 1, 1))(images(), None, None)
    with pytest.raises(DataError, match="needs the training statistics"):
        Normalise(mean=(1.0,))


def test_scale() -> None:
    assert Scale(factor=0.5)(torch.tensor([[3.0]]), None, None).tolist() == [[1.5]]


def test_flip_mirrors_whole_images_with_its_probability() -> None:
    values = images()
    out = Flip(probability=0.25)(values, None, generator())
    mirrored = torch.tensor([torch.equal(o, v.flip(-1)) for o, v in zip(out, values, strict=True)])
    kept = torch.tensor([torch.equal(o, v) for o, v in zip(out, values, strict=True)])
    assert bool((mirrored ^ kept).all())
    assert 0.17 < float(mirrored.float().mean()) < 0.33
    assert torch.equal(Flip(probability=0.0)(values, None, generator()), values)
    assert torch.equal(Flip(probability=1.0)(values, None, generator()), values.flip(-1))


def test_shift_moves_by_whole_pixels_in_every_direction() -> None:
    values = images(channels=1)
    out = Shift(pixels=1)(values, None, generator())
    seen = set()
    for before, after in zip(values[:, 0], out[:, 0], strict=True):
        padded = torch.nn.functional.pad(before, (1, 1, 1, 1))
        moves = [(r, c) for r in range(3) for c in range(3) if torch.equal(padded[r : r + 5, c : c + 6], after)]
        assert len(moves) == 1
        seen.add(moves[0])
    assert len(seen) == 9


def test_noise_has_its_deviation() -> None:
    values = torch.zeros(100, 100)
    out = Noise(std=0.3)(values, None, generator())
    assert abs(float(out.std()) - 0.3) < 0.01
    assert abs(float(out.mean())) < 0.02


def test_mask_hides_whole_steps_at_its_rate() -> None:
    values = torch.ones(100, 20, 3)
    out = Mask(rate=0.2)(values, None, generator())
    hidden = out.sum(-1) == 0
    assert torch.equal(out[~hidden], values[~hidden])
    assert 0.17 < float(hidden.float().mean()) < 0.23


@pytest.mark.parametrize("step", [Flip(), Shift(), Noise(std=1.0)])
def test_augmentations_follow_their_generator_and_leave_their_input_alone(step) -> None:
    values = images()
    before = values.clone()
    assert torch.equal(step(values, None, generator(1)), step(values, None, generator(1)))
    assert not torch.equal(step(values, None, generator(1)), step(values, None, generator(2)))
    assert torch.equal(values, before)
    assert step.augments


def test_transforms_are_built_from_specs_in_their_order(digits: Prepared) -> None:
    experiment = Experiment.model_validate(
        {
            "version": 1,
            "kind": "experiment",
            "data": "digits",
            "modalities": {
                "noisy": {
                    "encoder": {"kind": "mlp"},
                    "transforms": [{"kind": "scale", "factor": 2.0}, {"kind": "normalise"}],
                }
            },
            "fusion": {"kind": "concat"},
            "task": {"kind": "classification"},
            "training": {"epochs": 1},
        }
    )
    built = build_transforms(experiment, "noisy", digits.manifest)
    assert [type(step) for step in built] == [Scale, Normalise]
    values = torch.from_numpy(digits.split("train").take("noisy", range(1078)))
    out = built[1](built[0](values, None, None), None, None)
    assert abs(float(out.mean())) < 1e-5
    assert abs(float(out.std(correction=0)) - 1) < 1e-5
    again = built[1].after(built[0].after(digits.manifest.statistics["noisy"]))
    assert again.mean == pytest.approx((0,), abs=1e-6)
    assert again.std == pytest.approx((1,), abs=1e-6)
