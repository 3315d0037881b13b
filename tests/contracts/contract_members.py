"""What the contract tests run over: every kind of every table, with the smallest options that make it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import torch

from cggm_pipeline.build.rooms import specs
from cggm_pipeline.build.tables import TABLES, implementation
from cggm_pipeline.encoders import Encoder
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.spec.base import Kind
from cggm_pipeline.spec.describe import annotations_of, strip

REQUIRED: dict[tuple[str, str], dict[str, Any]] = {
    ("encoders", "timm"): {"model": "test_resnet"},
    ("encoders", "smp"): {"model": "tu-test_resnet"},
    ("encoders", "text"): {"model": "bert", "pretrained": False, "width": 16},
    ("encoders", "custom"): {"path": "cggm_custom_for_tests:Doubled"},
    ("fusions", "film"): {"condition": "audio"},
    ("fusions", "smp_decoder"): {"decoder": "unet"},
    ("modulations", "mslr"): {"rates": {"audio": 0.5}},  # without rates two of its forms are joint training
    ("modulations", "pmr"): {"share": 1.0},  # a tenth of the few samples has one class
    ("modulations", "relearning"): {"every": 1},  # acts in the few epochs that there are
    ("schedules", "thinned"): {"modality": "audio"},
    ("patterns", "rate"): {"rate": 0.5},
    ("patterns", "incomplete"): {"share": 0.5},
    ("patterns", "fixed"): {"kept": [["audio"], ["type", "values"]]},
}
"""Fields without a default: a new kind that has some needs a line here, and no other change in these tests.

And those with which a method acts in as few epochs and samples as tests have.
"""

SHAPES = {0: (9,), 1: (7,), 2: (9, 6), 3: (3, 32, 32)}
"""By the rank of the input; 0 stands for token ids (T)."""

NAMES = ("values", "audio", "type", "vision")
"""Modality names, two of which are attributes of every module or mapping."""

WIDTH = 10
"""Width of features handed to fusions; 5 heads, the default, divide it."""

PYRAMID = (3, 4, 6, WIDTH)
"""Channels of the maps of a pyramid handed to fusions; the first map is 16 x 16, each next one half of it."""


def spec_of(room: str, kind: str, **options: Any) -> Kind:
    """The kind's spec with its required fields filled in."""
    return specs(room)[kind].model_validate({"kind": kind, **REQUIRED.get((room, kind), {}), **options})


def make(room: str, kind: str, *runtime: Any, **options: Any) -> Any:
    """The implementation, from the spec's arguments, as build makes it; parameters from one seed."""
    torch.manual_seed(0)
    return implementation(TABLES[room][kind])(*runtime, **spec_of(room, kind, **options).arguments())


def choices(room: str, kind: str, field: str) -> tuple[Any, ...]:
    """The literal values of a field; (None,) where the kind has no such field."""
    annotations = annotations_of(specs(room)[kind])
    return get_args(strip(annotations[field])[0]) if field in annotations else (None,)


def encoder_cases() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(kind, input rank, options) for every output of every encoder, and every rank it says it reads."""
    for kind in TABLES["encoders"]:
        for output in choices("encoders", kind, "output"):
            options = {} if output is None else {"output": output}
            spec = specs("encoders")[kind]
            for rank in [0] if getattr(spec, "reads_ids", False) else sorted(getattr(spec, "ranks", ())):
                yield kind, rank, options


def encoder(kind: str, rank: int, options: dict[str, Any]) -> Encoder | BuildError:
    """The encoder, or the BuildError with which it refuses the combination."""
    try:
        made: Encoder = make("encoders", kind, SHAPES[rank], **options)
    except BuildError as error:
        return error
    return made


def given(rank: int, batch: int = 4, dtype: torch.dtype = torch.float32, padded: bool = True) -> Input:
    """A random input; sequences have padding at the end of their odd rows."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(batch, *SHAPES[rank], generator=generator, dtype=torch.float64).to(dtype)
    if rank == 0:
        values = torch.randint(5, 250, (batch, *SHAPES[rank]), generator=generator)
    mask = None
    if rank in (0, 2) and padded:
        mask = (torch.arange(9) >= 6).repeat(batch, 1) & (torch.arange(batch) % 2 == 1)[:, None]
    return Input(values, mask)


def fusion_cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """Kind and options of every fusion, once per decoder where it has several, by a name for the test."""
    cases = {}
    for kind in TABLES["fusions"]:
        for decoder in choices("fusions", kind, "decoder"):
            cases[decoder or kind] = (kind, {} if decoder is None else {"decoder": decoder})
    return cases


def widths(layout: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What `features` of this layout are wide, as build tells it to a fusion."""
    return dict.fromkeys(names, PYRAMID if layout == "pyramid" else WIDTH)


def tensors(features: Features) -> list[torch.Tensor]:
    """The values as a list, whatever the layout."""
    return features.values if isinstance(features.values, list) else [features.values]


def features(
    layout: str, names: tuple[str, ...], dtype: torch.dtype = torch.float32, batch: int = 6
) -> dict[str, Features]:
    """Random features of one layout per modality, WIDTH wide; token features of different lengths, some padded."""
    generator = torch.Generator().manual_seed(2)

    def drawn(*sizes: int) -> torch.Tensor:
        return torch.randn(batch, *sizes, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    made = {}
    for number, name in enumerate(sorted(names)):
        if layout == "pyramid":
            made[name] = Features([drawn(width, 16 >> level, 16 >> level) for level, width in enumerate(PYRAMID)])
            continue
        sizes = {"vector": (WIDTH,), "tokens": (4 + number, WIDTH)}[layout]
        values = drawn(*sizes)
        mask = (torch.arange(sizes[0]) >= 3).repeat(batch, 1) if layout == "tokens" and number == 1 else None
        made[name] = Features(values, mask)
    return made
