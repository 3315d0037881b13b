"""Which class implements which kind: room -> kind -> "module:Class". Strings only, so that reading it costs nothing.

A new member of a room is one row here, one spec class and one file (docs/extending.md). The contract tests run over
these tables, so they pick it up by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

TABLES: Mapping[str, Mapping[str, str]] = {
    "encoders": {
        "mlp": "cggm_pipeline.encoders.mlp:MLP",
        "conv": "cggm_pipeline.encoders.conv:Conv",
        "transformer": "cggm_pipeline.encoders.transformer:Transformer",
        "timm": "cggm_pipeline.encoders.timm:Timm",
        "custom": "cggm_pipeline.encoders.custom:Custom",
    },
    "fills": {
        "zeros": "cggm_pipeline.fills.zeros:Zeros",
    },
    "fusions": {
        "concat": "cggm_pipeline.fusions.concat:Concat",
        "sum": "cggm_pipeline.fusions.sum:Sum",
        "gated": "cggm_pipeline.fusions.gated:Gated",
        "film": "cggm_pipeline.fusions.film:Film",
        "transformer": "cggm_pipeline.fusions.transformer:Transformer",
        "low_rank": "cggm_pipeline.fusions.low_rank:LowRank",
        "late": "cggm_pipeline.fusions.late:Late",
    },
    "tasks": {
        "classification": "cggm_pipeline.tasks.classification:Classification",
        "regression": "cggm_pipeline.tasks.regression:Regression",
    },
    "losses": {
        "cross_entropy": "cggm_pipeline.tasks.losses.cross_entropy:CrossEntropy",
        "focal": "cggm_pipeline.tasks.losses.focal:Focal",
        "l1": "cggm_pipeline.tasks.losses.l1:L1",
        "mse": "cggm_pipeline.tasks.losses.mse:MSE",
        "huber": "cggm_pipeline.tasks.losses.huber:Huber",
    },
    "transforms": {
        "resize": "cggm_pipeline.data.transforms.resize:Resize",
        "normalise": "cggm_pipeline.data.transforms.normalise:Normalise",
        "scale": "cggm_pipeline.data.transforms.scale:Scale",
        "flip": "cggm_pipeline.data.transforms.flip:Flip",
        "shift": "cggm_pipeline.data.transforms.shift:Shift",
        "noise": "cggm_pipeline.data.transforms.noise:Noise",
        "mask": "cggm_pipeline.data.transforms.mask:Mask",
    },
    "modulations": {
        "none": "cggm_pipeline.modulations.none:NoModulation",
        "unimodal_losses": "cggm_pipeline.modulations.unimodal_losses:UnimodalLosses",
        "ogm_ge": "cggm_pipeline.modulations.ogm_ge:OGMGE",
        "cggm": "cggm_pipeline.modulations.cggm:CGGM",
    },
    "sources": {
        "digits_two_view": "cggm_pipeline.data.sources.digits_two_view:DigitsTwoView",
        "table": "cggm_pipeline.data.sources.table:Table",
    },
}

CLASSIFIERS: Mapping[str, str] = {
    "vector": "cggm_pipeline.classifiers.vector:VectorClassifier",
    "tokens": "cggm_pipeline.classifiers.tokens:TokenClassifier",
    "pyramid": "cggm_pipeline.classifiers.pyramid:PyramidClassifier",
}
"""Layout of a modality's features -> the classifier that reads them."""


def implementation(place: str) -> Any:
    """The object at "module:Name". Only for places from this file."""
    module, name = place.split(":")
    return getattr(import_module(module), name)
