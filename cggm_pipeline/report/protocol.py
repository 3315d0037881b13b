"""The protocol: everything besides the method that a number depends on, the same for all rows or named where not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cggm_pipeline.report.material import DataFacts, Material, RowSpec, Tuning
from cggm_pipeline.report.metrics import Metric
from cggm_pipeline.report.runs import RowRun
from cggm_pipeline.spec import Experiment
from cggm_pipeline.spec.patterns import Missing

Block = dict[str, Any]
_MISSING = object()


@dataclass(frozen=True)
class Protocol:
    """`common`: what all rows share. `rows`: per row slug, what differs. Values are plain data."""

    common: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]

    @property
    def hash(self) -> str:
        """Twelve hex digits of the SHA-256 of the canonical JSON. Equal protocols have equal hashes."""
        content = {"common": self.common, "rows": self.rows}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def line(self) -> str:
        """The protocol in one line, for the terminal and under the table."""
        return f"protocol {self.hash}: {', '.join(_phrases(self.common))}"

    def entries(self) -> list[tuple[str, str]]:
        """The common part as (name, text), in order."""
        return [(name, plain(value)) for name, value in self.common.items()]


def make(material: Material, metrics: tuple[Metric, ...]) -> Protocol:
    """The protocol of a table. The method itself, and what is logged or where it ran, is no part of it."""
    blocks = {row.slug: _block(row, material.runs[row.slug], material.data[row.slug]) for row in material.spec.rows}
    shared = _intervals(material, metrics)
    if not blocks:
        return Protocol(shared, {})
    first = next(iter(blocks.values()))
    common = {
        name: value for name, value in first.items() if all(b.get(name, _MISSING) == value for b in blocks.values())
    }
    rows = {slug: {n: v for n, v in block.items() if n not in common} for slug, block in blocks.items()}
    return Protocol(common | shared, {slug: block for slug, block in rows.items() if block})


def _block(row: RowSpec, run: RowRun, facts: DataFacts) -> Block:
    spec, training = row.experiment, row.experiment.training
    block: Block = {
        "data set": spec.data,
        "data digest": facts.digest or "unknown",
        "samples": dict(facts.counts),
        "task": spec.task.model_dump(mode="json"),
        "epochs": training.epochs,
        "batch": training.batch_size,
        "optimizer": training.optimizer.model_dump(mode="json"),
        "scheduler": training.scheduler.model_dump(mode="json"),
        "clip": training.clip,
        "precision": training.precision,
        "accumulate": training.accumulate,
        "selection": _selection(spec, run),
        "early stopping": None if training.early_stopping is None else training.early_stopping.model_dump(mode="json"),
        "test split": "used once, after selection",
        "seeds": list(spec.seeds),
        "threads": training.threads,
        "initial weights": {name: _weights(modality.encoder) for name, modality in spec.modalities.items()},
    }
    block |= _where_used(spec) | _tuning(row.tuned)
    versions = run.summary.get("versions")
    return block | ({"versions": dict(versions)} if isinstance(versions, Mapping) else {})


def _tuning(found: Tuning | None) -> Block:
    """The budget that every row of a table with tuning has, and whether it was spent."""
    if found is None:
        return {}
    if found.values is None:
        return {"tuning": "not tuned: every row has its own values"}
    told = {"combinations for each row": found.budget, "seed": found.seed, "epochs": found.epochs or "as the row"}
    return {"tuning": told | ({} if found.fresh else {"note": "for other settings than the row has now"})}


def _where_used(spec: Experiment) -> Block:
    """What many experiments do not use: named where one does, so that the others' hashes do not change with it."""
    modalities = {name: [one.model_dump(mode="json") for one in used.transforms] for name, used in spec.used().items()}
    classifiers = spec.classifiers.model_dump(mode="json", include={"lr", "weight_decay", "scheduled"})
    found: Block = {
        "transforms": {name: transforms for name, transforms in modalities.items() if transforms},
        "augmentation": [one.model_dump(mode="json") for one in spec.augment],
        "missing patterns": spec.missing.model_dump(mode="json") if spec.missing != Missing() else None,
        "samples of a group in an epoch": spec.training.per_group,
        "classifiers": classifiers if spec.classifiers.lr is not None else None,
    }
    return {name: value for name, value in found.items() if value}


def _selection(spec: Experiment, run: RowRun) -> str:
    """Which epoch's weights are kept: as training says it did, or as the spec asks."""
    done = run.summary.get("selection")
    if isinstance(done, Mapping) and {"metric", "mode"} <= set(done):
        return f"epoch with the {done['mode']} {done['metric']} on the validation split"
    asked = spec.training.selection
    chosen = "best of the task's own metric" if asked is None else f"{asked.mode} {asked.metric}"
    return f"epoch with the {chosen} on the validation split"


def _weights(encoder: Any) -> str:
    frozen = ", frozen" if getattr(encoder, "freeze", False) else ""
    if getattr(encoder, "weights", None) is not None:
        return f"{encoder.weights} weights of {encoder.model}{frozen}"
    pretrained = getattr(encoder, "pretrained", False)
    if pretrained is False:
        return f"random, from (seed, module name){frozen}"
    revision = getattr(encoder, "revision", None)
    model = encoder.model if pretrained is True else pretrained
    return f"pretrained {model}{f' at {revision}' if revision else ''}{frozen}"


def _intervals(material: Material, metrics: tuple[Metric, ...]) -> Block:
    """How the intervals were made, said per kind of metric."""
    if material.spec.baseline is None:
        return {}
    samples = [metric.title for metric in metrics if metric.by_sample]
    others = [metric.title for metric in metrics if not metric.by_sample]
    found: Block = {}
    if samples:
        found[f"95 % intervals of {', '.join(samples)}"] = (
            "paired to the baseline over common seeds (Student's t) and test samples (2,000 bootstrap resamples, "
            "the same samples in every seed)"
        )
    if others:
        found[f"95 % intervals of {', '.join(others)}"] = "paired to the baseline over common seeds (Student's t)"
    return found


def plain(value: Any) -> str:
    """A value for people: `adam, lr 0.001, betas 0.9 0.999`; nothing as a dash."""
    if isinstance(value, Mapping):
        if "kind" in value:
            rest = plain({name: inner for name, inner in value.items() if name != "kind"})
            return f"{value['kind']}, {rest}" if len(value) > 1 else str(value["kind"])
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list | tuple):
        return " ".join(plain(inner) for inner in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def _phrases(common: Mapping[str, Any]) -> list[str]:
    phrases = []
    samples = common.get("samples") or {}
    if samples:
        phrases.append("split " + " / ".join(f"{count:,} {name}" for name, count in samples.items()))
    if "epochs" in common:
        phrases.append(f"{common['epochs']} epochs")
    if "batch" in common:
        phrases.append(f"batch {common['batch']}")
    optimizer = common.get("optimizer")
    if optimizer:
        phrases.append(f"{optimizer['kind']} {optimizer['lr']:g}")
    tuning = common.get("tuning")
    if isinstance(tuning, Mapping):
        budget, seed = tuning["combinations for each row"], tuning["seed"]
        phrases.append(f"tuned over {budget} combinations a row with seed {seed}")
    elif tuning:
        phrases.append("not tuned")
    return [*phrases, "selected on validation", "test used once"]
