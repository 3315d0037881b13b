"""Checkpoints of a training under way: atomic, checksummed, two generations, read with `weights_only`.

A file is a line of magic, the SHA-256 of the rest, and the rest as `torch.save` writes it. A checkpoint belongs to one
key (digest of spec, data and code) and one seed, and is refused under any other.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from cggm_pipeline.errors import TrainingError
from cggm_pipeline.whole import write_whole

MAGIC = b"cggm checkpoint 1\n"
DIGEST = hashlib.sha256().digest_size
CURRENT, PREVIOUS = "checkpoint.pt", "previous.pt"


class Checkpoints:
    """The checkpoints of one seed in `folder`."""

    def __init__(self, folder: Path, *, key: str, seed: int) -> None:
        self._folder, self._key, self._seed = folder, key, seed

    def save(self, content: dict[str, Any]) -> None:
        """Write a new checkpoint; the one before it is kept as well."""
        buffer = io.BytesIO(MAGIC + bytes(DIGEST))
        buffer.seek(0, io.SEEK_END)
        torch.save({"key": self._key, "seed": self._seed, **content}, buffer)
        whole = buffer.getbuffer()  # no copy: with optimiser state and selected weights it is gigabytes
        payload = len(MAGIC) + DIGEST
        whole[len(MAGIC) : payload] = hashlib.sha256(whole[payload:]).digest()
        current = self._folder / CURRENT
        if current.exists():
            os.replace(current, self._folder / PREVIOUS)
        write_whole(current, whole)

    def load(self) -> tuple[dict[str, Any] | None, str]:
        """The newest sound checkpoint (None: start anew), and a note for the user where that was not the newest.

        Raises TrainingError where all are damaged, or where one belongs to another spec, data set, code or seed.
        """
        for remains in self._folder.glob(f".{CURRENT}.*.tmp"):
            remains.unlink()  # of a checkpoint that was being written when the process was killed
        damaged = []
        for path in (self._folder / CURRENT, self._folder / PREVIOUS):
            if not path.exists():
                continue
            content = _read(path)
            if content is None:
                damaged.append(path)
                continue
            self._check_owner(path, content)
            return content, f"{damaged[0]} is damaged; going on from the checkpoint before it" if damaged else ""
        if damaged:
            raise TrainingError(
                f"{damaged[0]}: the checkpoint is damaged (its checksum does not fit), and there is no sound one. "
                f"Delete the folder {self._folder} to start this seed anew"
            )
        return None, ""

    def clear(self) -> None:
        """The training is finished: its checkpoints are of no more use."""
        for name in (CURRENT, PREVIOUS):
            (self._folder / name).unlink(missing_ok=True)

    def _check_owner(self, path: Path, content: dict[str, Any]) -> None:
        if (content["key"], content["seed"]) != (self._key, self._seed):
            raise TrainingError(
                f"{path}: this checkpoint is of seed {content['seed']} under key {str(content['key'])[:12]}, not of "
                f"seed {self._seed} under {self._key[:12]} (another spec, data or code). Delete {self._folder}"
            )


def _read(path: Path) -> dict[str, Any] | None:
    """The content, or None where the file is not as it was written."""
    raw = memoryview(path.read_bytes())
    head, payload = raw[: len(MAGIC) + DIGEST], raw[len(MAGIC) + DIGEST :]
    if head != MAGIC + hashlib.sha256(payload).digest():
        return None
    try:
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError):
        return None  # a checksum proves integrity, not origin: what weights_only refuses was not written by us
    return content if isinstance(content, dict) and {"key", "seed"} <= content.keys() else None
