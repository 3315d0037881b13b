"""Utterances with a sentiment, in the pickles of MulT (Tsai et al. 2019) and of MMSA (Yu et al.).

MulT: train | valid | test -> text, audio, vision (n, T, D), labels (n, 1, 1), id (n, 3) or (n,). MMSA: train | valid |
test -> raw_text, text (n, L, 768), text_bert (n, 3, L), audio, vision (n, T, D), regression_labels (n,), id
(VIDEO$_$CLIP), and in files that are not aligned audio_lengths and vision_lengths (n,).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cggm_pipeline.data.manifest import SPLITS, Form
from cggm_pipeline.data.problems import Problems
from cggm_pipeline.data.sources._fields import identities, listed, numbers, one_each, texts, unique
from cggm_pipeline.data.sources._sequences import Sequences, Steps, Tokens, Words, masked
from cggm_pipeline.data.sources._unpickle import unpickled
from cggm_pipeline.data.sources.base import Raw, Value, raw_path
from cggm_pipeline.data.twins.marker import banner
from cggm_pipeline.errors import DataError

MODALITIES = ("audio", "text", "vision")
KEYS = {"MulT": ("text", "audio", "vision", "labels"), "MMSA": ("text", "audio", "vision", "regression_labels")}


@dataclass(frozen=True)
class Part:
    """One published split: unique ids, labels (n,), and the modalities."""

    split: str
    ids: Sequence[str]
    labels: np.ndarray
    sequences: Mapping[str, Sequences]


class Utterances(Raw):
    """The samples of all parts, one part after the other."""

    def __init__(self, name: str, path: Path, parts: Sequence[Part], limit: float, problems: Problems) -> None:
        self.name = name
        self.parts = parts
        self.starts = np.cumsum([0, *(len(part.ids) for part in parts)])
        self.files = {name: path}
        self.banner = banner(path)
        self.splits = [part.split for part in parts for _ in part.ids]
        self.ids, self.twice = unique([key for part in parts for key in part.ids])
        labels = np.concatenate([part.labels for part in parts]).astype(np.float64)
        self.labels = [repr(label) for label in labels.tolist()]
        self.absent = {
            key: np.concatenate([part.sequences[key].absent for part in parts]) for key in parts[0].sequences
        }
        for index in np.flatnonzero(~(np.abs(labels) <= limit + 1e-6)).tolist():
            problems.add(self.place(index), f"label {labels[index]:g} is not in [-{limit:g}, {limit:g}]")
        for index, key in enumerate(self.ids):
            if not key or not key.isprintable() or len(key) > 500:
                problems.add(self.place(index), f"{key[:50]!r} is not an id (one line of printable text)")

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know about the data as they were read: -inf that became 0, ids that were there twice."""
        replaced: Counter[str] = Counter()
        for part in self.parts:
            for key, sequences in part.sequences.items():
                replaced[key] += int(sequences.replaced.sum()) if isinstance(sequences, Steps) else 0
        said = [f"{key}: {number:,} values of -inf became 0" for key, number in replaced.items() if number]
        again = f"{self.twice:,} samples have the id of another one before them; they got #2, #3, ..."
        return [*said, again] if self.twice else said

    def _position(self, index: int) -> tuple[Part, int]:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.parts[number], index - int(self.starts[number])

    def place(self, index: int) -> str:
        part, position = self._position(index)
        key = "".join(letter if letter.isprintable() else "?" for letter in self.ids[index][:80])
        return f"{self.name}: {part.split}, sample {position} ({key})"

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        part, position = self._position(index)
        values: dict[str, Value] = {}
        for key, sequences in part.sequences.items():
            try:
                values[key] = sequences.value(position)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from error
        return values


def read(
    root: Path, name: str, forms: Mapping[str, Form], problems: Problems, *, limit: float, layouts: Sequence[str]
) -> Utterances:
    """The utterances of the pickle `name` below `root`; labels must lie in [-limit, limit].

    The declared dtype says what the text is: float the features, text the words, int64 BERT's token ids (the last two
    in MMSA's layout only). `layouts` are those that the data set is published in. Raises DataError.
    """
    path = raw_path(root, name)
    content = unpickled(path, name)
    missing = [split for split in SPLITS if not isinstance(content, dict) or not isinstance(content.get(split), dict)]
    if missing:
        found = f"the keys {listed(content)}" if isinstance(content, dict) else f"a {type(content).__name__}"
        raise DataError(f"{name}: error: it has no {', no '.join(missing)}: it holds {found}, not a dict of splits")
    parts = [_part(name, split, content[split], forms, layouts) for split in SPLITS]
    return Utterances(name, path, parts, limit, problems)


def _part(name: str, split: str, content: Mapping[str, Any], forms: Mapping[str, Form], layouts: Sequence[str]) -> Part:
    layout = next((layout for layout in layouts if all(key in content for key in KEYS[layout])), None)
    if layout is None:
        expected = "; or ".join(f"{layout}: {', '.join(KEYS[layout])}" for layout in layouts)
        raise DataError(f"{name}: error: {split} has the keys {listed(content)}; expected are at least {expected}")
    key = KEYS[layout][-1]
    with located(f"{name}: error: {split}.{key}"):
        labels = one_each(numbers(content[key]))
    with located(f"{name}: error: {split}.id"):
        ids = identities(content["id"]) if "id" in content else [f"{split}-{k:05d}" for k in range(len(labels))]
        _same_number(len(ids), len(labels))
    sequences = {}
    for key, form in forms.items():
        with located(f"{name}: error: {split}.{key}"):
            sequences[key] = _sequences(key, content, form)
            _same_number(len(sequences[key]), len(labels))
    return Part(split, ids, labels, sequences)


def _same_number(found: int, labels: int) -> None:
    if found != labels:
        raise ValueError(f"{found:,} samples, but there are {labels:,} labels")


@contextmanager
def located(place: str) -> Iterator[None]:
    """A ValueError inside is a DataError at `place`."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error


def _sequences(key: str, content: Mapping[str, Any], form: Form) -> Sequences:
    if key == "text" and form.dtype in ("text", "int64"):
        source = {"text": "raw_text", "int64": "text_bert"}[form.dtype]
        if source not in content:
            raise ValueError(f"declared is {form}, which is read from {source} (MMSA only), but there is no such key")
        return Words(texts(content[source])) if source == "raw_text" else Tokens(numbers(content[source]))
    lengths = numbers(content[f"{key}_lengths"]) if f"{key}_lengths" in content else None
    if key == "text" and lengths is None and "text_bert" in content and form.ragged:
        lengths = masked(numbers(content["text_bert"]))
    return Steps(numbers(content[key]), form, lengths, silence=key == "audio")
