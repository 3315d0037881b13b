"""The manifest of a prepared folder: what is in it, how much, and from which raw bytes it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SPLITS = ("train", "valid", "test")
FORMAT = 2


@dataclass(frozen=True)
class Form:
    """One sample of a modality: its shape without the batch axis (None where it varies) and its dtype, or "text"."""

    shape: tuple[int | None, ...]
    dtype: str

    @property
    def ragged(self) -> bool:
        """Whether samples are sequences of varying length: (T, ...) with T free, and text (its UTF-8 bytes)."""
        return self.dtype == "text" or (None in self.shape and self.shape[0] is None)

    @property
    def image(self) -> bool:
        """Whether the first axis holds channels: (C, H, W)."""
        return len(self.shape) == 3 and not self.ragged

    def __str__(self) -> str:
        sizes = ", ".join("null" if size is None else str(size) for size in self.shape)
        return self.dtype if self.dtype == "text" else f"[{sizes}] {self.dtype}"


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per channel over the training samples that have the modality, summed in float64.

    A channel is an index of the first axis of images (C, H, W), of the last axis otherwise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class File:
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> File:
        with path.open("rb") as stream:
            return cls(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


@dataclass(frozen=True, slots=True)
class Folder:
    """Many files below a folder: their number, their bytes, and the SHA-256 over `NAME SIZE SHA-256` of each, a line
    each, sorted by name."""

    files: int
    size: int
    sha256: str

    @classmethod
    def of(cls, files: Mapping[str, File]) -> Folder:
        total = hashlib.sha256()
        for name in sorted(files):
            total.update(f"{name} {files[name].size} {files[name].sha256}\n".encode())
        return cls(len(files), sum(file.size for file in files.values()), total.hexdigest())


MOST_RAW = 1000
"""Raw files that a manifest names one by one; of more, only their folders."""


def by_folder(files: Mapping[str, File], most: int | None = None) -> dict[str, File | Folder]:
    """At most `most` (`MOST_RAW`) entries for any number of files: the files as they are, or else folders (FOLDER/).

    The deepest folders of which there are not too many: with images/train/CLASS/FILE one for each class.
    """
    most = MOST_RAW if most is None else most
    if len(files) <= most:
        return dict(files)
    depth = max(name.count("/") for name in files)
    while len({_above(name, depth) for name in files}) > most:
        depth -= 1
    folders: dict[str, dict[str, File]] = {}
    for name, file in files.items():
        folders.setdefault(_above(name, depth), {})[name] = file
    return {folder: Folder.of(members) for folder, members in sorted(folders.items())}


def _above(name: str, depth: int) -> str:
    """The folder of a file, at most `depth` names deep."""
    return "/".join(name.split("/")[:-1][:depth]) + "/"


@dataclass(frozen=True)
class Manifest:
    """Everything about a prepared folder but the samples. `digest` is the SHA-256 of all other fields.

    `counts`: samples per split. `absent`: per split, how many samples lack a modality (only modalities with gaps).
    `classes`: class names in index order, empty for real-valued targets, whose number is `width`. `mask`: (H, W) where
    the target is a class per pixel. `class_counts`: per split, samples per class, or pixels. `grouped`: every sample
    has a group. `raw`: raw files by name, or their folders where they are many (`by_folder`). `files`: written files by
    name. `banner`: see `Raw`.
    """

    dataset: str
    modalities: Mapping[str, Form]
    counts: Mapping[str, int]
    absent: Mapping[str, Mapping[str, int]]
    classes: tuple[str, ...]
    width: int
    class_counts: Mapping[str, tuple[int, ...]]
    statistics: Mapping[str, Statistics]
    raw: Mapping[str, File | Folder]
    files: Mapping[str, File]
    mask: tuple[int, int] | None = None
    grouped: bool = False
    banner: str = ""
    format: int = FORMAT
    digest: str = field(default="")

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", self.computed_digest())

    @property
    def gaps(self) -> frozenset[str]:
        """The modalities that at least one sample lacks."""
        return frozenset(name for split in self.absent.values() for name in split)

    def computed_digest(self) -> str:
        """SHA-256 over the canonical JSON of every other field."""
        content = {key: value for key, value in asdict(self).items() if key != "digest"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def dump(self) -> str:
        """The manifest as JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """The manifest from its JSON text. ValueError, KeyError or TypeError where it is not one."""
        data: dict[str, Any] = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']} (this program reads {FORMAT})")
        manifest = cls(
            **{
                **data,
                "modalities": {k: Form(tuple(v["shape"]), v["dtype"]) for k, v in data["modalities"].items()},
                "classes": tuple(data["classes"]),
                "mask": _mask(data["mask"]),
                "class_counts": {k: tuple(v) for k, v in data["class_counts"].items()},
                "statistics": {
                    k: Statistics(tuple(v["mean"]), tuple(v["std"]), v["samples"])
                    for k, v in data["statistics"].items()
                },
                "raw": {k: Folder(**v) if "files" in v else File(**v) for k, v in data["raw"].items()},
                "files": {k: File(**v) for k, v in data["files"].items()},
            }
        )
        if manifest.digest != manifest.computed_digest():
            raise ValueError("its digest is not that of its content")
        return manifest


def _mask(sizes: list[int] | None) -> tuple[int, int] | None:
    if sizes is None:
        return None
    height, width = sizes
    return int(height), int(width)
