"""A BERT with random weights in a local folder, as Hugging Face transformers reads one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

WIDTH = 32
HIDDEN = 64
LAYERS = 2
HEADS = 2
LONGEST = 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_bert(folder: Path, words: Sequence[str], *, seed: int = 0) -> None:
    """Write config.json, the tokenizer's files and model.safetensors (float32) to `folder`; the same bytes each time.

    A model of 2 layers, 2 heads and width 32, and a WordPiece vocabulary of single letters and digits and these words.
    """
    from safetensors.numpy import save_file

    letters = [chr(code) for code in (*range(ord("0"), ord("9") + 1), *range(ord("a"), ord("z") + 1))]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    vocabulary = [*SPECIAL, *",.-", *pieces, *(word for word in words if word not in pieces)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    _dump(folder / "tokenizer.json", _tokenizer(vocabulary))
    _dump(folder / "tokenizer_config.json", _tokenizer_config())
    _dump(folder / "config.json", _config(len(vocabulary)))
    weights = _weights(len(vocabulary), np.random.default_rng(seed))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _dump(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _config(vocabulary: int) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": LONGEST,
        "type_vocab_size": 2,
        "vocab_size": vocabulary,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "dtype": "float32",
    }


def _tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": LONGEST,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
    }


def _tokenizer(vocabulary: Sequence[str]) -> dict[str, object]:
    """The file of the tokenizers library: lower case, WordPiece, [CLS] before and [SEP] behind."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    cls, sep, first, second = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}},
    )
    special = {name: {"id": name, "ids": [vocabulary.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    pair = [cls, first, sep, second, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, "content": token, **flags} for index, token in enumerate(SPECIAL)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, first, sep],
            "pair": pair,
            "special_tokens": special,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: index for index, token in enumerate(vocabulary)},
        },
    }


def _weights(vocabulary: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The tensors of transformers' BertModel by name; norms are the identity, biases zero."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings": (vocabulary, WIDTH),
        "embeddings.position_embeddings": (LONGEST, WIDTH),
        "embeddings.token_type_embeddings": (2, WIDTH),
        "pooler.dense": (WIDTH, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        shapes |= {f"{at}.attention.self.{name}": (WIDTH, WIDTH) for name in ("query", "key", "value")}
        shapes |= {f"{at}.attention.output.dense": (WIDTH, WIDTH)}
        shapes |= {f"{at}.intermediate.dense": (HIDDEN, WIDTH), f"{at}.output.dense": (WIDTH, HIDDEN)}
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    weights = {f"{name}.weight": random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    biases = {name: shape[0] for name, shape in shapes.items() if not name.startswith("embeddings.")}
    weights |= {f"{name}.bias": np.zeros(size, np.float32) for name, size in biases.items()}
    weights |= {f"{name}.weight": np.ones(WIDTH, np.float32) for name in norms}
    weights |= {f"{name}.bias": np.zeros(WIDTH, np.float32) for name in norms}
    return weights
