"""A project with finished runs, in exactly the files that training and evaluation write; its numbers are drawn."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cggm_pipeline.spec import Experiment, dump
from cggm_pipeline.spec.resolved import dump_data

CLASSES = 10
TEST = 240

ROWS: dict[str, tuple[str, dict[str, Any], float]] = {
    "unimodal-rotated": ("Unimodal: rotated", {"use": ["rotated"]}, 0.9),
    "unimodal-noisy": ("Unimodal: noisy", {"use": ["noisy"]}, -0.2),
    "joint": ("Joint training", {}, 1.6),
    "joint-unimodal-losses": (
        "Joint + unimodal losses",
        {"modulation": {"kind": "unimodal_losses", "weight": 1.0}},
        2.3,
    ),
    "ogm-ge": ("OGM-GE", {"modulation": {"kind": "ogm_ge", "alpha": 0.8}}, 1.65),
    "cggm-paper": ("CGGM (paper)", {"modulation": {"kind": "cggm", "preset": "paper"}}, 0.7),
    "cggm-released": ("CGGM (released)", {"modulation": {"kind": "cggm", "preset": "released"}}, 1.2),
    "cggm-stable": ("CGGM (stable)", {"modulation": {"kind": "cggm", "preset": "stable"}}, 2.4),
}
"""Slug to label, overrides, and how able the method is in the model the numbers are drawn from."""


def experiment(**overrides: Any) -> Experiment:
    """A small valid experiment."""
    base: dict[str, Any] = {
        "version": 1,
        "kind": "experiment",
        "data": "digits",
        "modalities": {
            "rotated": {"encoder": {"kind": "conv", "channels": [16, 32]}},
            "noisy": {"encoder": {"kind": "mlp", "hidden": [64, 64]}},
        },
        "fusion": {"kind": "concat", "width": 64},
        "task": {"kind": "classification", "loss": {"kind": "cross_entropy"}},
        "training": {"epochs": 20, "batch_size": 64, "optimizer": {"kind": "adam", "lr": 1e-3}},
        "seeds": [0, 1, 2, 3, 4],
    }
    return Experiment.model_validate(base | overrides)


@dataclass
class Written:
    """A project below `root` whose table `digits` was run. Methods change single rows; `write()` puts all on disk."""

    root: Path
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rows: dict[str, tuple[str, dict[str, Any], float]] = field(default_factory=lambda: dict(ROWS))
    published: dict[str, dict[str, str]] = field(default_factory=dict)
    scores: list[dict[str, Any]] = field(default_factory=list)
    title: str = "Two-view digits"

    @property
    def runs(self) -> Path:
        return self.root / "runs" / "digits"

    def write(self) -> Written:
        """Write every file."""
        generator = np.random.default_rng(7)
        truth = generator.integers(0, CLASSES, TEST)
        hardness = generator.normal(0, 1, TEST)
        table: dict[str, Any] = {"title": self.title, "metric": "accuracy", "baseline": "joint"}
        table |= {"seeds": list(self.seeds), "data": "digits", "order": list(self.rows)}
        table["rows"] = {s: {"label": r[0], "published": self.published.get(s)} for s, r in self.rows.items()}
        self.put("specs/resolved/tables/digits.yaml", dump_data(table))
        confusion = {}
        for slug, (_, overrides, skill) in self.rows.items():
            confusion[slug] = self._row(slug, experiment(**overrides), skill, truth, hardness, generator).tolist()
        self.put("runs/digits/evaluation/seeds.json", json.dumps(self.scores))
        self.put("runs/digits/evaluation/confusion.json", json.dumps(confusion))
        return self

    def put(self, path: str, text: str) -> Path:
        """One file below the root."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")
        return full

    def fail(self, slug: str, seed: int) -> None:
        """Turn a written seed into one that stopped on a value that is not finite."""
        folder = self.runs / slug / "train" / f"seed-{seed}"
        (folder / "failed.json").write_text(
            json.dumps({"error": "loss is not finite", "step": 211, "tensor": "loss", "modality": "noisy"})
        )
        (self.runs / "evaluation" / "predictions" / f"{slug}-{seed}.npz").unlink()
        self.scores[:] = [s for s in self.scores if (s["row"], s["seed"]) != (slug, seed)]
        self.put("runs/digits/evaluation/seeds.json", json.dumps(self.scores))

    def _row(self, slug: str, spec: Experiment, skill: float, truth: Any, hardness: Any, generator: Any) -> Any:
        text = dump(spec)
        self.put(f"specs/resolved/digits/{slug}.yaml", text)
        self.put(f"runs/digits/{slug}/train/experiment.yaml", text)
        manifest = {"digest": "ab" * 32, "counts": {"train": 1078, "valid": 270, "test": TEST}}
        manifest |= {"classes": [str(label) for label in range(CLASSES)]}
        self.put(f"runs/digits/{slug}/train/manifest.json", json.dumps(manifest))
        counts = np.zeros((CLASSES, CLASSES))
        for seed in self.seeds:
            right = skill + hardness + generator.normal(0, 0.6, TEST) + generator.normal(0, 0.1) > 0
            guess = np.where(right, truth, (truth + generator.integers(1, CLASSES, TEST)) % CLASSES)
            np.add.at(counts, (truth, guess), 1)
            self._seed(slug, spec, seed, truth, guess, generator)
        cost = {
            str(s): {"seconds": 7.0, "steps": 1000, "step_seconds": 0.002 + 0.0003 * len(slug), "memory": 4.1e8}
            for s in self.seeds
        }
        self.put(f"runs/digits/{slug}/cost.json", json.dumps({"seeds": cost}))
        return counts

    def _seed(self, slug: str, spec: Experiment, seed: int, truth: Any, guess: Any, generator: Any) -> None:
        probabilities = np.full((len(truth), CLASSES), 0.02)
        probabilities[np.arange(len(truth)), guess] = 0.82
        predictions = self.runs / "evaluation" / "predictions" / f"{slug}-{seed}.npz"
        predictions.parent.mkdir(parents=True, exist_ok=True)
        ids = np.array([f"s{i:04d}" for i in range(len(truth))])
        np.savez(predictions, target=truth, prediction=probabilities, logits=np.log(probabilities), ids=ids)
        accuracy = float((guess == truth).mean())
        probes = {name: {"accuracy": accuracy - 0.1 * (name == "noisy") - 0.02} for name in spec.used()}
        metrics = {"loss": 1.2 - accuracy, "accuracy": accuracy, "f1_macro": accuracy - 0.004}
        for split in ("valid", "test"):
            one = {"row": slug, "seed": seed, "split": split, "metrics": metrics}
            self.scores.append(one | {"probes": probes if split == "test" else {}})
        folder = f"runs/digits/{slug}/train/seed-{seed}"
        parameters = {"encoders.rotated": 5000, "encoders.noisy": 8200, "fusion": 6200, "head": 650}
        extra = 5300 if len(spec.used()) > 1 and spec.modulation.kind in ("cggm", "unimodal_losses") else 0
        summary = {"status": "finished", "seed": seed, "parameters": parameters, "classifier_parameters": extra}
        summary |= {"epochs": 20, "selected_epoch": 15, "versions": {"python": "3.11.2", "torch": "2.15.0"}}
        summary["selection"] = {"metric": "accuracy", "mode": "max", "value": accuracy}
        self.put(f"{folder}/summary.json", json.dumps(summary))
        self._history(f"{folder}/history.csv", spec, accuracy, generator)

    def _history(self, path: str, spec: Experiment, accuracy: float, generator: Any) -> None:
        rows = []
        for epoch in range(20):
            gone = 1 - np.exp(-(epoch + 1) / 4)
            row: dict[str, float] = {"epoch": epoch, "train_loss": 2.3 * (1 - gone) + 0.02}
            if spec.modulation.kind == "cggm":
                wild = 1e4 if spec.modulation.preset == "paper" else 0.3
                for name in spec.used():
                    row |= {f"eps_{name}": 0.9 * gone, f"B_{name}": float(0.5 + wild * generator.normal() ** 3)}
                    row |= {f"grad_norm_{name}": 2 * (1 - gone), f"cos_{name}": 0.6 * gone}
                row["B_negative"] = 0.48 if spec.modulation.preset == "paper" else 0.0
            row |= {
                "valid_loss": 2.4 * (1 - gone) + 0.3,
                "valid_accuracy": accuracy * gone + generator.normal(0, 0.004),
            }
            rows.append(row)
        full = self.root / path
        with full.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A finished table of eight rows and five seeds."""
    return Written(tmp_path).write()
