"""Small pickles in the layouts of MulT and MMSA, for tests to spoil."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from cggm_pipeline.data.manifest import SPLITS, Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources.base import Raw, Source

SIZES = {"train": 4, "valid": 2, "test": 3}


def mult(steps: int = 6, widths: tuple[int, int, int] = (2, 4, 3)) -> dict[str, dict[str, Any]]:
    """MulT: widths of audio, text, vision."""
    random = np.random.default_rng(0)
    content = {}
    for split in SPLITS:
        n = SIZES[split]
        content[split] = {
            name: random.normal(size=(n, steps, width)).astype(np.float32)
            for name, width in zip(("audio", "text", "vision"), widths, strict=True)
        }
        content[split]["labels"] = random.uniform(-3, 3, (n, 1, 1)).astype(np.float32)
        content[split]["id"] = np.array([[f"{split}{k}", f"{k}.5", f"{k + 1}"] for k in range(n)], "S")
    return content


def mmsa(limit: float = 3, *, aligned: bool = False) -> dict[str, dict[str, Any]]:
    """MMSA: 5 tokens, audio 6 x 2, vision 7 x 3."""
    random = np.random.default_rng(1)
    content: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        n = SIZES[split]
        tokens = 1 + np.arange(n) % 5
        mask = np.arange(5) < tokens[:, None]
        ids = np.where(mask, random.integers(100, 9000, mask.shape), 0)
        label = random.uniform(-limit, limit, n).astype(np.float32)
        content[split] = {
            "raw_text": np.array([f"words {k}" for k in range(n)], object),
            "audio": random.normal(size=(n, 6, 2)).astype(np.float32),
            "vision": random.normal(size=(n, 7, 3)).astype(np.float32),
            "id": [f"{split}video$_${k}" for k in range(n)],
            "text": random.normal(size=(n, 5, 4)).astype(np.float32),
            "text_bert": np.stack([ids, mask, np.zeros_like(ids)], 1).astype(np.float32),
            "annotations": ["Positive"] * n,
            "classification_labels": np.sign(label),
            "regression_labels": label,
        }
        if not aligned:
            content[split]["audio_lengths"] = [1 + k % 6 for k in range(n)]
            content[split]["vision_lengths"] = np.array([7 - k for k in range(n)])
    return content


def forms(audio: Any = (6, 2), text: Any = (6, 4), vision: Any = (6, 3), dtype: str = "float32") -> dict[str, Form]:
    return {"audio": Form(audio, "float32"), "text": Form(text, dtype), "vision": Form(vision, "float32")}


def read(source: Source, root: Path, content: Any, declared: dict[str, Form], protocol: int = 4) -> Raw:
    """Dump `content` where `source` looks, read it, and raise what was found."""
    problems = Problems()
    (root / "t.pkl").write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    raw = source.read(root, declared, problems)
    problems.check()
    return raw


def sampled(raw: Raw) -> dict[str, list[Any]]:
    """All values of all samples, by modality."""
    members = np.arange(len(raw.ids))
    samples = [raw.sample(index, members) for index in members.tolist()]
    return {name: [sample[name] for sample in samples] for name in samples[0]}
