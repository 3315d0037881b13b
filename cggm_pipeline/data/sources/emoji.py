"""Noto emoji: a picture, a name with keywords, and Unicode's group as the class."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cggm_pipeline.data.cells import below
from cggm_pipeline.data.images import decode
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.rows import read_rows
from cggm_pipeline.data.sources._files import first_of
from cggm_pipeline.data.sources._json_object import read_object
from cggm_pipeline.data.sources._label_noise import mislabelled
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.errors import DataError

PICTURES = ("png/72", "72")
PAGE = "docs/data/emoji.md"
UNICODE, KEYWORDS, TABLE = "data-by-emoji.json", "emoji-en-US.json", "emoji.csv"
PICTURE = re.compile(r"png/72/[\w-]{1,200}\.png", re.ASCII)
SPLITS = {"train": "train", "dev": "valid", "test": "test"}


@dataclass(frozen=True)
class Sign:
    """One emoji: its picture's file name; `place` is where it is listed."""

    file: str
    group: str
    name: str
    keywords: str
    split: str
    place: str = ""

    @property
    def text(self) -> str:
        return f"{self.name} {self.keywords}".strip()


def collected(unicode: Mapping[str, object], keywords: Mapping[str, object], pictures: set[str]) -> list[Sign]:
    """The emoji of the two json files that have one of the `pictures`, in the first one's order, with their split.

    A picture's name is emoji_u and the code points in hexadecimal without U+FE0F, joined by _. Flags are left out, and
    whoever has a picture that stands already. Keywords are the list without its first entry, _ a space. The indices,
    shuffled by `random.Random(0)`: the first 70 % are train, the next 15 % dev, the rest test. ValueError where an
    entry is not as expected.
    """
    found: dict[str, Sign] = {}
    for sign, entry in unicode.items():
        codes = "_".join(f"{ord(letter):04x}" for letter in sign if letter != "\ufe0f")
        file = f"emoji_u{codes}.png"
        name, group = _word(sign, entry, "name"), _word(sign, entry, "group")
        if group == "Flags" or file in found or file not in pictures:
            continue
        words = keywords.get(sign, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"the keywords of {sign!r} are not a list of strings")
        place = f"{UNICODE} ({sign!r})"
        found[file] = Sign(file, group, name, " ".join(words[1:]).replace("_", " "), "", place)
    order = list(range(len(found)))
    random.Random(0).shuffle(order)
    position = {index: rank for rank, index in enumerate(order)}
    shares = {"train": 0.7 * len(order), "valid": 0.85 * len(order), "test": len(order)}
    return [
        Sign(**{**vars(sign), "split": next(name for name, end in shares.items() if position[index] < end)})
        for index, sign in enumerate(found.values())
    ]


def _word(sign: str, entry: object, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{sign!r} has no {key!r} of printable text")
    return value


class Emoji(Source):
    """`path`: the folder with png/72/ (or 72/) of noto-emoji and a list of them, in either of two layouts.

    data-by-emoji.json and emoji-en-US.json, as their publishers ship them (see `collected`), or instead of these two
    emoji.csv with file (png/72/NAME.png), group, name, keywords and split (train, dev, test).
    `image`: the file as it came where [4, null, null] uint8 is declared (or 3, or 1 channels), else its pixels. `text`:
    name and keywords. `label_noise`: share of the training labels that are wrong, drawn with `seed`.
    """

    def __init__(self, *, path: str = "data/raw/emoji", label_noise: float = 0.0, seed: int = 0) -> None:
        self.path = path
        self.label_noise = label_noise
        self.seed = seed

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("image", "text")

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """List the emoji; pictures are opened later."""
        folder = Path(os.path.realpath(raw_path(root, self.path)))
        pictures = first_of(folder, self.path, PICTURES, PAGE)
        listed = [name for name in (UNICODE, KEYWORDS, TABLE) if (folder / name).is_file()]
        if listed == [TABLE]:
            signs = self._table(folder, problems)
        elif listed == [UNICODE, KEYWORDS]:
            signs = self._published(folder, folder / pictures)
        else:
            raise DataError(
                f"source.path: {self.path} has {' and '.join(listed) or 'no list of the emoji'}; needed are either "
                f"{UNICODE} and {KEYWORDS}, or {TABLE} alone. See {PAGE}"
            )
        return _Signs(self, folder, pictures, signs, listed, forms["image"], problems)

    def _published(self, folder: Path, pictures: Path) -> list[Sign]:
        unicode, keywords = (read_object(folder / name, f"{self.path}/{name}") for name in (UNICODE, KEYWORDS))
        try:
            return collected(unicode, keywords, set(os.listdir(pictures)))
        except (ValueError, OSError) as error:
            raise DataError(f"{self.path}: error: {error}; fetch {UNICODE} and {KEYWORDS} again") from error

    def _table(self, folder: Path, problems: Problems) -> list[Sign]:
        columns, name = ("file", "group", "name", "keywords", "split"), f"{self.path}/{TABLE}"
        signs = []
        for row in read_rows(folder / TABLE, name, ",", columns, problems):
            file, group, called, keywords, split = (row.cells[column].strip() for column in columns)
            if split not in SPLITS:
                problems.add(f"{name}:{row.line}", f"split: {split[:50]!r} is none of {', '.join(SPLITS)}")
            elif not PICTURE.fullmatch(file):
                problems.add(f"{name}:{row.line}", f"file: {file[:50]!r} is not png/72/NAME.png")
            else:
                signs.append(
                    Sign(file.rpartition("/")[2], group, called, keywords, SPLITS[split], f"{name}:{row.line}")
                )
        return signs


class _Signs(Raw):
    def __init__(
        self,
        source: Emoji,
        folder: Path,
        pictures: str,
        signs: Sequence[Sign],
        listed: Sequence[str],
        form: Form,
        problems: Problems,
    ) -> None:
        self.source = source
        self.signs = signs
        self.form = form
        self.pictures = folder / pictures
        self.ids = [Path(sign.file).stem for sign in signs]
        self.labels = [sign.group for sign in signs]
        self.splits = [sign.split for sign in signs]
        self.files: dict[str, Path] = {f"{source.path}/{name}": folder / name for name in listed}
        seen: dict[str, str] = {}
        for sign in signs:
            if seen.setdefault(sign.file, sign.place) != sign.place:
                problems.add(sign.place, f"{sign.file} stands in {seen[sign.file]} already")
            try:
                path = Path(below(folder, f"{pictures}/{sign.file}", "the folder of source.path"))
                self.files[f"{source.path}/{pictures}/{sign.file}"] = path
            except ValueError as error:
                problems.add(sign.place, str(error))
        for name, path in self.files.items():
            if not path.is_file():
                problems.add(name, "the file does not exist")

    def place(self, index: int) -> str:
        return self.signs[index].place

    def told(self, target: np.ndarray, splits: Sequence[str], classes: int) -> np.ndarray:
        source = self.source
        return mislabelled(target, self.ids, splits, share=source.label_noise, seed=source.seed, classes=classes)

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        sign = self.signs[index]
        try:
            data = (self.pictures / sign.file).read_bytes()
        except OSError as error:
            raise ValueError(f"image: {sign.file} cannot be read ({error.strerror})") from error
        whole = None not in self.form.shape
        return {"image": decode(data, self.form.shape[0] or 0) if whole else data, "text": sign.text}
