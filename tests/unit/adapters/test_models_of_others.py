"""Adapters inside models of transformers and timm: they start equal, and what is inside learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from adapter_networks import FEATURES, learning, network, steps
from transformers import BertConfig

from cggm_pipeline.adapters import Adapter
from cggm_pipeline.adapters.bitfit import BitFit
from cggm_pipeline.adapters.bottleneck import Bottleneck
from cggm_pipeline.adapters.lora import LoRA
from cggm_pipeline.adapters.wander import Wander
from cggm_pipeline.encoders.text import Text
from cggm_pipeline.encoders.timm import Timm
from cggm_pipeline.encoders.transformer import Transformer
from cggm_pipeline.fusions.late import Late
from cggm_pipeline.layers.features import Input
from cggm_pipeline.network import Network

WIDTH = 64
SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 20}
LENGTHS = {"audio": 5, "photo": None, "text": None}
ADAPTERS: dict[str, tuple[Adapter, int]] = {
    "bitfit": (BitFit(), 8 + 38 + 17 + 1),
    "lora": (LoRA(rank=2, target=["encoders.text.*", "encoders.photo.*.qkv"]), 12 + 6),
    "bottleneck": (Bottleneck(width=3), 2 + 6 + 1),
    "wander": (Wander(rank=2, drank=2, trank=2, tokens=4, where="every"), 6),
}


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Network, dict[str, Input]]:
    """A BERT, a vision Transformer and one of ours, equally wide, and a batch in which some lack a modality."""
    BertConfig(hidden_size=WIDTH, max_position_embeddings=16, **SIZES).save_pretrained(tmp_path / "bert")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    encoders = {
        "audio": Transformer((5, FEATURES), width=WIDTH, heads=2, layers=1, output="mean"),
        "photo": Timm((3, 32, 32), model="test_vit", output="vector"),
        "text": Text((None,), model="bert", width=WIDTH, pretrained=False, output="mean"),
    }
    mask = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] * 5, [False] * 4 + [True]])
    given = {
        "audio": Input(torch.randn(4, 5, FEATURES), None, torch.tensor([True, True, False, True])),
        "photo": Input(torch.randn(4, 3, 32, 32), None, torch.tensor([True, False, True, True])),
        "text": Input(torch.randint(1, 20, (4, 5)), mask),
    }
    return network(encoders, Late(dict.fromkeys(encoders, WIDTH))), given


@pytest.mark.parametrize("name", ADAPTERS)
def test_it_starts_equal_and_learns(name: str, three: tuple[Network, dict[str, Input]]) -> None:
    if name == "lora":
        pytest.importorskip("peft")
    made, given = three
    before = made.eval().predict(given)
    adapter, places = ADAPTERS[name]
    found = adapter(made, LENGTHS)
    assert found == places
    assert torch.equal(made.eval().predict(given), before)
    frozen = {key: value.clone() for key, value in made.state_dict().items() if key not in learning(made)}
    steps(made, given, number=3)
    assert all(p.grad is not None and p.grad.any() for key, p in made.named_parameters() if key in learning(made))
    assert all(torch.equal(value, frozen[key]) for key, value in made.state_dict().items() if key in frozen)
    assert not torch.equal(made.eval().predict(given), before)
