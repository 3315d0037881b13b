"""The text encoder against transformers itself: the same states, masks, freezing, refusals. The model: a tiny BERT."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

from cggm_pipeline.encoders.text import FULL, Text
from cggm_pipeline.errors import BuildError
from cggm_pipeline.layers.features import Input

IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 5, 3, 0, 0], [2, 3, 0, 0, 0]])
MASK = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] * 2 + [True] * 3])
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 20}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.fixture
def bert(project: Path) -> BertModel:
    """A random BERT, saved in the folder models/bert of the project."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES)).eval()
    model.save_pretrained(project / "models" / "bert")
    return model


def test_the_states_are_those_of_transformers(bert: BertModel) -> None:
    encoder = Text((None,), model="models/bert", width=16).eval()
    features = encoder(Input(IDS, MASK))
    with torch.no_grad():
        expected = bert(input_ids=IDS, attention_mask=(~MASK).long()).last_hidden_state
    torch.testing.assert_close(features.tensor[~MASK], expected[~MASK], rtol=1e-5, atol=1e-6)
    assert features.mask is MASK
    assert encoder.widths == (16,)
    whole = encoder(Input(IDS[:1]))
    torch.testing.assert_close(whole.tensor[0], expected[0], rtol=1e-5, atol=1e-6)
    assert whole.mask is None


def test_first_and_mean_read_unpadded_tokens_only(bert: BertModel) -> None:
    with torch.no_grad():
        alone = [
            bert(input_ids=IDS[row : row + 1, :length]).last_hidden_state[0] for row, length in enumerate((5, 3, 2))
        ]
        first = Text((None,), model="models/bert", width=16, output="first").eval()(Input(IDS, MASK)).tensor
        mean = Text((None,), model="models/bert", width=16, output="mean").eval()(Input(IDS, MASK)).tensor
    for row, states in enumerate(alone):
        torch.testing.assert_close(first[row], states[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(mean[row], states.mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output", ["tokens", "first", "mean"])
def test_rows_of_nothing_but_padding_stay_finite(bert: BertModel, output: str) -> None:
    encoder = Text((None,), model="models/bert", width=16, output=output)  # type: ignore[arg-type]
    values = encoder(Input(torch.zeros_like(IDS), torch.ones_like(MASK))).tensor
    values.sum().backward()
    assert values.isfinite().all()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


def test_every_parameter_of_a_trainable_model_learns(bert: BertModel) -> None:
    encoder = Text((None,), model="models/bert", width=16)
    encoder(Input(IDS, MASK)).tensor[~MASK].square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []
    assert encoder.train().model.training


def test_frozen_models_stay_as_they_are(bert: BertModel) -> None:
    encoder = Text((None,), model="models/bert", width=16, freeze=True)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    encoder.train()
    assert not encoder.model.training
    first = encoder(Input(IDS, MASK)).tensor
    assert not first.requires_grad
    assert torch.equal(first, encoder(Input(IDS, MASK)).tensor)


def test_without_weights_it_is_drawn_from_the_generator(bert: BertModel, project: Path) -> None:
    (project / "models" / "bert" / "model.safetensors").unlink()
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(Text((None,), model="models/bert", width=16, pretrained=False))
    states = [encoder.state_dict() for encoder in made]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    with pytest.raises(BuildError, match=r"no model\.safetensors \(pickled weights are not read\)"):
        Text((None,), model="models/bert", width=16)


def test_on_the_meta_device_a_hub_model_is_its_width(project: Path) -> None:
    with torch.device("meta"):
        encoder = Text((None,), model="bert-base-uncased")
        features = encoder(Input(torch.zeros(2, 50, dtype=torch.int64), torch.zeros(2, 50, dtype=torch.bool)))
    assert features.tensor.shape == (2, 50, 768)
    number = sum(parameter.numel() for parameter in encoder.parameters())
    assert number == 109_482_240 - 590_592  # BERT-base of Devlin et al. (110 M) without the pooler, 768 x 768 + 768
    with torch.device("meta"):
        assert Text((None,), model="some/model", width=50).widths == (50,)


def test_on_the_meta_device_a_local_model_is_itself(bert: BertModel) -> None:
    with torch.device("meta"):
        encoder = Text((None,), model="models/bert", width=16)
    expected = sum(p.numel() for name, p in bert.named_parameters() if not name.startswith("pooler."))
    assert sum(parameter.numel() for parameter in encoder.parameters()) == expected
    assert {parameter.device.type for parameter in encoder.parameters()} == {"meta"}


def test_a_hub_model_without_a_network_says_how_to_fetch_it() -> None:
    with pytest.raises(BuildError, match=r"cannot make 'owner/absent'.*(\n.*)*hf download owner/absent"):
        Text((None,), model="owner/absent")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 768}, r"width: 768, but the hidden size of models/bert is 16"),
        ({"model": "models", "width": 16}, r"models has no config\.json"),
        ({"model": "models/../../out", "width": 16}, "leaves the project"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], message: str, bert: BertModel) -> None:
    with pytest.raises(BuildError, match=message):
        Text((None,), **{"model": "models/bert", **options})  # type: ignore[arg-type]


def test_only_ids_are_read(bert: BertModel) -> None:
    with pytest.raises(BuildError, match=r"text reads token ids \(T\)"):
        Text((3, 8, 8), model="models/bert", width=16)
    encoder = Text((None,), model="models/bert", width=16)
    with pytest.raises(BuildError, match="vocabulary of 20"):
        encoder(Input(torch.tensor([[2, 25, 3]])))
    with pytest.raises(BuildError, match="600 tokens, but the model has 512"):
        encoder(Input(torch.ones(1, 600, dtype=torch.int64)))


def test_code_and_pickles_in_a_folder_are_refused(bert: BertModel, project: Path) -> None:
    folder = project / "models" / "bert"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    with pytest.raises(BuildError, match="cannot make 'models/bert'"):
        Text((None,), model="models/bert", width=16)
    assert not (project / "ran").exists()


@pytest.mark.parametrize("part", ["x.bin", "../x.safetensors", "/etc/passwd"])
def test_a_list_of_parts_names_safetensors_beside_it(bert: BertModel, project: Path, part: str) -> None:
    folder = project / "models/bert"
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.ones(1)}, folder / "x.bin")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": part}}))
    with pytest.raises(BuildError, match="is no safetensors file beside it") as caught:
        Text((None,), model="models/bert", width=16)
    assert "weights_only" not in str(caught.value)


def test_links_out_of_the_project_are_refused(bert: BertModel, project: Path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "model.safetensors"
    file = project / "models/bert/model.safetensors"
    outside.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(outside)
    with pytest.raises(BuildError, match=r"models/bert/model\.safetensors leaves the project through a link"):
        Text((None,), model="models/bert", width=16)


def test_a_local_model_is_not_to_be_fetched(bert: BertModel, project: Path) -> None:
    (project / "models/bert/config.json").write_text("{nope")
    with pytest.raises(BuildError, match="Save the model there again with save_pretrained") as caught:
        Text((None,), model="models/bert", width=16)
    assert "hf download" not in str(caught.value)


def test_garbage_weights_are_named(bert: BertModel, project: Path) -> None:
    (project / "models" / "bert" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BuildError, match="cannot make 'models/bert'"):
        Text((None,), model="models/bert", width=16)


def test_weights_that_lack_a_layer_are_refused(bert: BertModel, project: Path) -> None:
    folder = project / "models" / "bert"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(BuildError, match=r"lack encoder\.layer\.2"):
        Text((None,), model="models/bert", width=16)


@pytest.mark.parametrize("family", sorted(FULL))
def test_the_finished_mask_says_what_the_plain_one_does(family: str, project: Path) -> None:
    names = {"distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "vocab_size": 20}}
    config = AutoConfig.for_model(family, **names.get(family, SIZES), pad_token_id=0)
    torch.manual_seed(0)
    model = AutoModel.from_config(config, attn_implementation="sdpa").eval()
    model.save_pretrained(project / "model")
    with torch.no_grad():
        expected = model(input_ids=IDS, attention_mask=(~MASK).long()).last_hidden_state
        states = Text((None,), model="model", width=16).eval()(Input(IDS, MASK)).tensor
    torch.testing.assert_close(states[~MASK], expected[~MASK], rtol=1e-5, atol=1e-6)


def test_positions_are_counted_from_the_first_token_that_is_there(project: Path) -> None:
    """RoBERTa counts them by its padding id, whatever stands where the mask says that nothing does."""
    torch.manual_seed(0)
    model = RobertaModel(RobertaConfig(**SIZES, pad_token_id=1, max_position_embeddings=12)).eval()
    model.save_pretrained(project / "models" / "roberta")
    encoder = Text((None,), model="models/roberta", width=16).eval()
    with torch.no_grad():
        expected = model(input_ids=IDS[:1, 1:]).last_hidden_state
        found = encoder(Input(torch.tensor([[0, 0, *IDS[0, 1:]]]), torch.tensor([[True] * 2 + [False] * 4]))).tensor
    torch.testing.assert_close(found[:, 2:], expected, rtol=1e-5, atol=1e-6)


def test_other_families_roberta_gpt_and_no_t5(project: Path) -> None:
    RobertaModel(RobertaConfig(**SIZES, max_position_embeddings=8, pad_token_id=1)).save_pretrained(project / "roberta")
    ids = torch.tensor([[0, 7, 9, 11, 12, 2], [0, 5, 2, 0, 0, 0]])
    mask = torch.tensor([[False] * 6, [False] * 3 + [True] * 3])
    encoder = Text((None,), model="roberta", width=16).eval()
    both = encoder(Input(ids, mask)).tensor
    torch.testing.assert_close(both[1, :3], encoder(Input(ids[1:, :3])).tensor[0], rtol=1e-5, atol=1e-6)
    GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20)).save_pretrained(project / "gpt")
    assert Text((None,), model="gpt", width=16).eval()(Input(IDS, MASK)).tensor.shape == (3, 5, 16)
    T5Model(T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=20)).save_pretrained(
        project / "t5"
    )
    with pytest.raises(BuildError, match="an encoder with a decoder"):
        Text((None,), model="t5", width=16)
