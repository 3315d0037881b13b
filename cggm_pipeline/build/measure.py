"""One split measured with one seed's network, by the kind of target, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cggm_pipeline.build.npz import npz
from cggm_pipeline.build.run import Run
from cggm_pipeline.evaluation.evaluate import measure, stream
from cggm_pipeline.evaluation.predictors.plain import predict


@dataclass(frozen=True)
class Found:
    """`metrics` of the split with `loss`; `samples`: see `Meter.samples`; `arrays`: what else the archive keeps."""

    metrics: dict[str, float]
    samples: Mapping[str, np.ndarray]
    arrays: Mapping[str, Any]

    def archive(self) -> bytes:
        """An npz with the arrays, and `sample_METRIC` where the metric of the split is the mean of these."""
        return npz(**self.arrays, **{f"sample_{name}": values for name, values in self.samples.items()})


class Measure(Protocol):
    """A way to measure a split; `full`: also what is measured of the test split alone."""

    def __call__(self, run: Run, split: str, *, full: bool) -> Found: ...


def _collected(run: Run, split: str, *, full: bool) -> Found:
    """Outputs of a few numbers a sample: held as a whole. Kept: ids, target, prediction, logits."""
    found = predict(run.built.network, run.data[split], predictor=run.built.predictor)
    meter = measure(run.built.task, found)
    arrays = {
        "target": found.target.cpu().numpy(),
        "prediction": run.built.task.predict(found.logits).cpu().numpy(),
        "logits": found.logits.cpu().numpy(),
        "ids": np.array(run.prepared.split(split).ids),
        **_who_has_what(run, split),
    }
    return Found(meter.result(), meter.samples(), arrays)


def _streamed(run: Run, split: str, *, full: bool) -> Found:
    """Outputs as large as images: measured as they go by. Kept: the ids of the cases, and their values."""
    built = run.built
    meter = stream(built.network, built.task, run.data[split], predictor=built.predictor, full=full)
    samples = run.prepared.split(split)
    cases = samples.ids if samples.groups is None else list(dict.fromkeys(samples.groups))
    return Found(meter.result(), meter.samples(), {"ids": np.array(cases), **_who_has_what(run, split)})


def _who_has_what(run: Run, split: str) -> dict[str, np.ndarray]:
    """`present` (N, M) bool, one row per sample of the split, and the names of its columns, `modalities` (M,)."""
    gaps = run.data[split].gaps
    return {} if gaps is None else {"present": gaps.present(), "modalities": np.array(gaps.pattern.modalities)}


MEASURES: Mapping[str, Measure] = {"classes": _collected, "values": _collected, "mask": _streamed}
"""Kind of target -> how a split is measured."""
