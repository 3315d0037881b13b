"""Language models of Hugging Face transformers as encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cggm_pipeline.encoders._trunk import before
from cggm_pipeline.encoders._weights import INDEX, check_folder
from cggm_pipeline.encoders.base import Encoder, Shape, Underway
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Features, Input
from cggm_pipeline.layers.transformer import mean_over_time

WEIGHTS = ("model.safetensors", INDEX)
FULL = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra"})
"""Families whose every layer attends in both directions to all tokens: given a finished mask (B, 1, 1, T), transformers
does not ask the device whether anything is padding, so that a step waits for nothing. The others get (B, T)."""

POOLER = "pooler"
"""What stands behind the last hidden states, and nobody reads: it is taken out, and may be missing in a file."""


class Text(Encoder):
    """A language model over token ids (B, T) int64, padding mask True where there is no token.

    `model`: a folder below the working directory (config.json and model.safetensors), or else a hub id, taken from the
    local files where they are there and fetched once where they are not; `revision` pins its commit. Pickled weights
    and code from the hub are never read. `output`: "tokens" the last hidden states (B, T, width), "first" the first
    one, "mean" their mean over unpadded tokens (B, width). `width` must be the model's hidden size. On the meta device
    nothing is fetched: a hub model without local files is a BERT of that width there. A frozen model has no trainable
    parameter, stays in evaluation mode, and keeps no graph. Attention is torch's scaled_dot_product_attention.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        model: str,
        revision: str | None = None,
        width: int = 768,
        pretrained: bool = True,
        output: Literal["tokens", "first", "mean"] = "tokens",
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if len(shape) != 1:
            raise BuildError(f"text reads token ids (T), but the shape is {tuple(shape)}; put a tokenise before it")
        self.layout = "tokens" if output == "tokens" else "vector"
        self.output = output
        self.freeze = freeze
        self.widths = (width,)
        self.model: Any = _create(model, revision, width, pretrained)
        self.padding = getattr(self.model.config, "pad_token_id", None)
        if hasattr(self.model, POOLER):
            setattr(self.model, POOLER, None)
        if freeze:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> Text:
        super().train(mode and not self.freeze)
        return self

    @property
    def trunk(self) -> Sequence[nn.Module]:
        """The layers of a model of the families FULL, whose last hidden states are what the last layer gives."""
        model = self.model
        found = getattr(model, "encoder", getattr(model, "transformer", None))
        return tuple(found.layer) if model.config.model_type in FULL and found is not None else ()

    def enter(self, x: Input) -> Underway:
        return before(self.trunk[0], lambda: self._hidden(x.values.long(), x.mask), x.mask)

    def leave(self, tokens: Tensor, x: Input) -> Features:
        return self._features(tokens, x)

    def forward(self, x: Input) -> Features:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            hidden = self._hidden(x.values.long(), x.mask)
        return self._features(hidden, x)

    def _features(self, hidden: Tensor, x: Input) -> Features:
        if self.output == "tokens":
            return Features(hidden, x.mask)
        if self.output == "first":
            return Features(hidden[:, 0])
        return Features(mean_over_time(hidden, x.mask))

    def _hidden(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and self.padding is not None:
            ids = ids.masked_fill(mask, self.padding)  # RoBERTa and its kin count positions by it
        positions = getattr(self.model.config, "max_position_embeddings", 0)
        if 0 < positions < ids.shape[1]:
            raise BuildError(f"text: {ids.shape[1]} tokens, but the model has {positions} positions; lower max_length")
        try:
            hidden: Tensor = self.model(input_ids=ids, attention_mask=self._attention(mask)).last_hidden_state
        except IndexError as error:
            raise BuildError(
                f"text: a token id is outside the model's vocabulary of {self.model.config.vocab_size} (or there are "
                "more tokens than positions); tokenise with the model's own tokenizer"
            ) from error
        return hidden

    def _attention(self, mask: Tensor | None) -> Tensor | None:
        """True, or 1, where there is a token. A row without any attends to all of it, so that it stays finite."""
        if mask is None:
            return None
        there = ~mask | mask.all(1, keepdim=True)
        return there[:, None, None] if self.model.config.model_type in FULL else there.long()


def _create(name: str, revision: str | None, width: int, pretrained: bool) -> nn.Module:
    """The transformers model with `width` channels. BuildError says which file is missing and how to get it."""
    meta = torch.get_default_device().type == "meta"
    folder = _folder(name, pretrained and not meta)
    with _quiet(), _told(name):
        config = _config(folder, name, revision, width if meta else None)
        if config.is_encoder_decoder:
            raise BuildError(f"model: {name} is an encoder with a decoder; take one that only encodes")
        found = getattr(config, "hidden_size", None)
        if found != width:
            raise BuildError(f"width: {width}, but the hidden size of {name} is {found}")
        if pretrained and not meta:
            return _with_weights(folder, name, revision, config)
        from transformers import AutoModel

        options = {"attn_implementation": "sdpa", "dtype": torch.float32, "trust_remote_code": False}
        auto: Any = AutoModel
        made: nn.Module = auto.from_config(config, **options)
        return made


def _folder(name: str, weights: bool) -> Path | None:
    """The local model, if `name` is a folder of the project; None for a hub id."""
    path = (Path.cwd() / name).resolve()
    if not path.is_relative_to(Path.cwd().resolve()):
        raise BuildError(f"model: {name} leaves the project; copy the folder into it")
    if not path.is_dir():
        return None
    if not (path / "config.json").is_file():
        raise BuildError(f"model: {name} has no config.json; save a model there with save_pretrained")
    if weights and not any((path / file).is_file() for file in WEIGHTS):
        raise BuildError(
            f"model: {name} has no model.safetensors (pickled weights are not read); save the model there with "
            "save_pretrained, or write pretrained: false"
        )
    check_folder(path, name)
    return path


def _config(folder: Path | None, name: str, revision: str | None, checked: int | None) -> Any:
    """The model's configuration; `checked`: on the meta device, the width that stands for a hub model not fetched."""
    from transformers import AutoConfig, BertConfig

    if folder is not None:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    try:
        return AutoConfig.from_pretrained(name, revision=revision, local_files_only=True, trust_remote_code=False)
    except OSError:
        if checked is None:
            return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
    heads = checked // 64 if checked % 64 == 0 else 1
    return BertConfig(hidden_size=checked, num_attention_heads=heads, intermediate_size=4 * checked)


def _with_weights(folder: Path | None, name: str, revision: str | None, config: Any) -> nn.Module:
    from transformers import AutoModel

    options = {
        "config": config,
        "revision": revision or "main",
        "use_safetensors": True,
        "trust_remote_code": False,
        "attn_implementation": "sdpa",
        "dtype": torch.float32,
        "output_loading_info": True,
    }
    try:
        made, info = AutoModel.from_pretrained(folder or name, local_files_only=True, **options)
    except OSError:
        if folder is not None:
            raise
        made, info = AutoModel.from_pretrained(name, **options)
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(f"{POOLER}."))
    if missing:
        raise BuildError(f"model: the weights of {name} lack {', '.join(missing[:3])} ({len(missing)} in all)")
    module: nn.Module = made
    return module


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever transformers and its hub raise, as a BuildError that says how to get the model."""
    try:
        yield
    except BuildError:
        raise
    except Exception as error:  # anything at all: no network, no such model, code in it, garbage in a file
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        advice = (
            "Save the model there again with save_pretrained"
            if (Path.cwd() / name).is_dir()
            else f"A hub model is fetched once, with a network: `hf download {name}`. Or save it in a folder of the "
            "project (save_pretrained), and name the folder"
        )
        raise BuildError(f"model: transformers cannot make '{name}': {reason}\n  {advice}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no lists of unread weights: what matters is an error here."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
