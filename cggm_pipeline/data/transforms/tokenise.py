"""Text to token ids."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cggm_pipeline.data.transforms.base import FrontEnd
from cggm_pipeline.errors import BuildError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Tokenise(FrontEnd):
    """The UTF-8 bytes of a text to its token ids, (T) int64 with T <= `max_length`, special tokens included.

    `tokenizer`: a folder below the working directory, or else a hub id, taken from the local files where they are there
    and fetched once where they are not; `revision` pins its commit. Only fast tokenizers; code from the hub is never
    run. In a batch, ids are 0 at padding and the mask says where that is. May be called by several threads.
    """

    stacks: ClassVar[bool] = False

    def __init__(self, *, tokenizer: str, revision: str | None = None, max_length: int = 50) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the threads are ours: it would warn, or fight them
        self.max_length = max_length
        self.tokenizer = _load(tokenizer, revision)
        if self.tokenizer.num_special_tokens_to_add(is_pair=False) >= max_length:
            raise BuildError(f"max_length: {max_length} leaves no room beside the special tokens of {tokenizer}")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)

    def __call__(self, sample: np.ndarray) -> np.ndarray:
        ids = self.tokenizer.encode(sample.tobytes().decode("utf-8")).ids
        return np.array(ids or [0], np.int64)  # a text without any token is one zero step, as an absent one


def _load(name: str, revision: str | None) -> Tokenizer:
    """The tokenizer alone, in whose hands truncation stays as it is set: transformers' own sets it at each call."""
    from transformers import AutoTokenizer

    path = (Path.cwd() / name).resolve()
    if not path.is_relative_to(Path.cwd().resolve()):
        raise BuildError(f"tokenizer: {name} leaves the project; copy the folder into it")
    options: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": False, "use_fast": True}
    try:
        try:
            made = AutoTokenizer.from_pretrained(path if path.is_dir() else name, local_files_only=True, **options)
        except OSError:
            if path.is_dir():
                raise
            made = AutoTokenizer.from_pretrained(name, **options)
    except Exception as error:  # transformers and its hub raise anything at all, and the user needs the reason
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BuildError(
            f"tokenizer: transformers cannot make '{name}': {reason}\n  A hub tokenizer is fetched once, with a "
            f"network: `hf download {name}`. Or save it in a folder of the project (save_pretrained), and name it"
        ) from error
    backend: Tokenizer | None = getattr(made, "backend_tokenizer", None)
    if backend is None:
        raise BuildError(f"tokenizer: {name} has no fast form (tokenizer.json); convert it, or take another")
    return backend
