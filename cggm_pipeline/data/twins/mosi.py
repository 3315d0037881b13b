"""A twin of MulT's mosi_data.pkl: 50 aligned steps, ids (video, start, end) in bytes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from cggm_pipeline.data.twins._sentiment import labels, steps
from cggm_pipeline.whole import write_whole

SIZES = {"train": 32, "valid": 8, "test": 16}
WIDTHS = {"vision": 20, "text": 300, "audio": 5}


def write(folder: Path, *, seed: int = 0) -> None:
    """Write `folder`/mosi_data.pkl: 56 made-up utterances in 32 / 8 / 16."""
    random = np.random.default_rng(seed)
    content = {}
    for split, number in SIZES.items():
        sentiment, lengths = labels(random, number, 3), random.integers(8, 51, number)
        part: dict[str, np.ndarray] = {
            name: steps(random, sentiment, name, (50, width), lengths) for name, width in WIDTHS.items()
        }
        rows = [[f"{split}{index // 4:02d}twin", f"{index % 4}.25", f"{index % 4 + 1}.0"] for index in range(number)]
        content[split] = {**part, "labels": sentiment[:, None, None], "id": np.array(rows, "S")}
    write_whole(folder / "mosi_data.pkl", pickle.dumps(content, protocol=4))
