"""The two layouts of UPMC Food-101, to one list of recipes: the json files of MMBT and CGGM, and the UPMC csv files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.progress import shown
from cggm_pipeline.data.rows import read_rows
from cggm_pipeline.data.sources._objects import Entry, read_again, read_objects
from cggm_pipeline.errors import DataError

JSON: Mapping[str, str] = {"train": "train", "valid": "dev", "test": "test"}
CSV: Mapping[str, str] = {"train": "train_titles.csv", "test": "test_titles.csv"}
COLUMNS = ("image_name", "title", "class")


@dataclass(frozen=True, slots=True)
class Listing:
    """A file that says who is in a split; `name` stands for it in messages."""

    path: Path
    name: str
    split: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One sample, small: there are 90,000. `file` is its image as listed ("" for the csv layout, whose ids are files).

    `words`: what is written, where it is held; else it is at `start` in the listing, `size` bytes long.
    """

    listing: Listing
    line: int
    id: str
    label: str
    blank: bool
    file: str = ""
    words: str | None = None
    start: int = 0
    size: int = 0

    @property
    def split(self) -> str:
        return self.listing.split

    @property
    def place(self) -> str:
        """FILE:LINE."""
        return f"{self.listing.name}:{self.line}"

    @property
    def image(self) -> str:
        """Its image file, from the folder."""
        return self.file or f"images/{self.split}/{self.label}/{self.id}"

    def text(self) -> str:
        """What is written, read again from the listing where it is not held."""
        return self.words if self.words is not None else _text(read_again(self.listing.path, self.start, self.size))


def read_recipes(folder: Path, name: str, problems: Problems) -> tuple[list[Recipe], dict[str, Path]]:
    """Every recipe of the layout that is found in `folder`, and the files that say so, by name.

    The json layout comes first: train, dev (may lack) and test, as .json (a list, or a line each) or .jsonl. Else
    train_titles.csv and test_titles.csv, here or in texts/. DataError where neither is whole.
    """
    found = {split: _one_of(folder, name, [f"{file}.json", f"{file}.jsonl"]) for split, file in JSON.items()}
    if found["train"] and found["test"]:
        return _read(folder, name, found, _json_recipes, problems)
    titles = {split: _one_of(folder, name, [file, f"texts/{file}"]) for split, file in CSV.items()}
    if all(titles.values()):
        return _read(folder, name, titles, _csv_recipes, problems)
    there = [file for file in (*found.values(), *titles.values()) if file]
    raise DataError(
        f"source.path: {name} has {f'only {chr(32).join(there)}' if there else 'none'} of the files that say who is in "
        "which split. Needed are train.json and test.json (layout of MMBT; dev.json may lack), or train_titles.csv and "
        "test_titles.csv beside images/ (layout of UPMC). docs/data/food101.md says where they are"
    )


def _one_of(folder: Path, name: str, files: list[str]) -> str:
    there = [file for file in files if (folder / file).is_file()]
    if len(there) > 1:
        raise DataError(f"source.path: {name} has {' and '.join(there)}; remove the one that is not meant")
    return there[0] if there else ""


Layout = Callable[[Listing, Problems], Iterator[Recipe]]


def _read(
    folder: Path, name: str, found: Mapping[str, str], layout: Layout, problems: Problems
) -> tuple[list[Recipe], dict[str, Path]]:
    listings = [Listing(folder / file, f"{name}/{file}", split) for split, file in found.items() if file]
    recipes: list[Recipe] = []
    for listing in listings:
        before = len(recipes), problems.count
        recipes += shown(layout(listing, problems), f"read {listing.name}")
        if (len(recipes), problems.count) == before:
            raise DataError(f"{listing.name}: error: it names no recipe; fetch the file again")
    return recipes, {listing.name: listing.path for listing in listings}


def _json_recipes(listing: Listing, problems: Problems) -> Iterator[Recipe]:
    for entry in read_objects(listing.path, listing.name):
        try:
            yield _recipe(entry, listing)
        except ValueError as error:
            problems.add(f"{listing.name}:{entry.line}", str(error))


def _recipe(entry: Entry, listing: Listing) -> Recipe:
    content = entry.content
    key, label = _word(content, "id"), sys.intern(_word(content, "label"))
    image = _word(content, "img_path", "img")
    blank = not _text(content).strip()
    return Recipe(listing, entry.line, key, label, blank, image, start=entry.start, size=entry.size)


def _word(content: Mapping[str, Any], *names: str) -> str:
    """A string of printable characters, or a number for an id."""
    value = next((content[name] for name in names if name in content), None)
    if value is None:
        raise ValueError(f"it has no {' or '.join(map(repr, names))} (its keys: {', '.join(content)[:200]})")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 500:
        raise ValueError(f"{names[0]!r} is {str(value)[:50]!r}, not one line of printable text")
    return value.strip()


def _text(content: Mapping[str, Any]) -> str:
    """The words, joined by spaces, or the text as it is."""
    words = content.get("text_tokens", content.get("text"))
    if isinstance(words, str):
        return words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("it has neither 'text_tokens' (a list of strings) nor 'text' (a string)")
    return " ".join(words)


def _csv_recipes(listing: Listing, problems: Problems) -> Iterator[Recipe]:
    for row in read_rows(listing.path, listing.name, ",", COLUMNS, problems, header=False):
        image, title, label = (row.cells[column].strip() for column in COLUMNS)
        if not image.isprintable() or not label.isprintable() or not image or not label or "/" in image + label:
            place = f"{listing.name}:{row.line}"
            problems.add(place, f"{image[:50]!r} and {label[:50]!r} are not the name of an image and of a class")
            continue
        yield Recipe(listing, row.line, image, sys.intern(label), not title, words=title)
