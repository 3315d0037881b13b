"""UPMC Food-101's twin: drawn dishes and made-up titles, in the json layout or the csv layout, and a tiny BERT."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cggm_pipeline.data.twins._tiny_bert import write_bert

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "apple_pie": (190, 140, 80),
    "beet_salad": (150, 60, 90),
    "edamame": (110, 160, 80),
    "oysters": (150, 150, 150),
    "pizza": (200, 110, 70),
}
"""Dish -> the colour that its images have on average."""
SPLITS: Mapping[str, int] = {"train": 80, "test": 40}
WORDS = ("recipe", "best", "easy", "homemade", "with", "and", "the", "kitchen", "food", "network", "simple", "how")
NAMED = 0.8
"""Share of titles that name their dish; the others name any."""
SHADE = 55.0
"""How much the colour of an image differs from its dish's, as a standard deviation of 8-bit values."""


def write(folder: Path, *, seed: int = 0, layout: str = "json") -> None:
    """Write 80 and 40 recipes of five dishes below `folder`, less than 1 MB.

    Layout "json": train.json and test.json, each a list of objects with id, label, text_tokens and img_path, as CGGM's
    code reads them. Layout "csv": texts/train_titles.csv and texts/test_titles.csv without a header line. Images are
    images/SPLIT/DISH/DISH_NUMBER.jpg, of varying size; their colour tells the dish a little, most titles name it.
    models/bert-tiny is a BERT with random weights whose vocabulary is that of the titles.
    """
    random = np.random.default_rng(seed)
    for split, number in SPLITS.items():
        dishes = random.permutation([list(COLOURS)[index % len(COLOURS)] for index in range(number)]).tolist()
        first = 0 if split == "train" else SPLITS["train"]  # no number is in both splits, as in the real files
        recipes = [_recipe(folder, split, number, dish, random) for number, dish in enumerate(dishes, first)]
        {"json": _json, "csv": _csv}[layout](folder, split, recipes)
    words = sorted({*WORDS, *(word for dish in COLOURS for word in dish.split("_"))})
    write_bert(folder / "models" / "bert-tiny", words, seed=seed)


def _recipe(folder: Path, split: str, number: int, dish: str, random: np.random.Generator) -> dict[str, object]:
    """Draw the image of one recipe and make up its title."""
    named = dish if random.random() < NAMED else str(random.choice(list(COLOURS)))
    words = [*named.split("_"), *random.choice(WORDS, int(random.integers(2, 6))).tolist()]
    tokens = [str(word) for word in random.permutation(words)]
    path = f"images/{split}/{dish}/{dish}_{number}.jpg"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(_image(COLOURS[dish], random))
    return {"id": f"{dish}_{number}", "label": dish, "text_tokens": tokens, "img_path": path}


def _image(colour: tuple[int, int, int], random: np.random.Generator) -> bytes:
    """A plate in the dish's colour, brighter or darker and more or less red, on any ground; a JPEG file."""
    from PIL import Image

    height, width = (int(size) for size in random.integers(32, 57, 2))
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    plate = (rows**2 + columns**2 < 0.7)[..., None]
    ground = random.uniform(0, 255, 3)
    pixels = np.where(plate, np.array(colour) + random.normal(0, SHADE, 3), ground)
    pixels += random.normal(0, 20, (height, width, 3))
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _json(folder: Path, split: str, recipes: list[dict[str, object]]) -> None:
    (folder / f"{split}.json").write_text(json.dumps(recipes), encoding="utf-8")


def _csv(folder: Path, split: str, recipes: list[dict[str, object]]) -> None:
    (folder / "texts").mkdir(exist_ok=True)
    with (folder / "texts" / f"{split}_titles.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        for recipe in recipes:
            tokens = recipe["text_tokens"]
            assert isinstance(tokens, list)
            table.writerow([Path(str(recipe["img_path"])).name, ", ".join(tokens), recipe["label"]])
