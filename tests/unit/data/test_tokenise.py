"""Tokenise against transformers itself: the same ids, truncated, from several threads; refusals. A tiny WordPiece."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from transformers import BertTokenizerFast

from cggm_pipeline.data.transforms.tokenise import Tokenise
from cggm_pipeline.errors import BuildError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apple", "pie", "with", "##s", "cream", "é"]
TEXTS = ["Apple pie", "apples with cream", "cream " * 40, "x", "pie é ☃", "  "]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.fixture
def bert(project: Path) -> BertTokenizerFast:
    """A tokenizer of eleven word pieces, saved in the folder tokenizer of the project."""
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    made = BertTokenizerFast(vocab=vocabulary, do_lower_case=True, strip_accents=False)
    made.save_pretrained(project / "tokenizer")
    return made


def given(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


@pytest.mark.parametrize("longest", [3, 8, 50])
def test_the_ids_are_those_of_transformers(bert: BertTokenizerFast, longest: int) -> None:
    tokenise = Tokenise(tokenizer="tokenizer", max_length=longest)
    for text in TEXTS:
        ids = tokenise(given(text))
        assert ids.dtype == np.int64
        assert ids.tolist() == bert(text, truncation=True, max_length=longest)["input_ids"]
        assert 2 <= len(ids) <= longest
        assert (ids[0], ids[-1]) == (2, 3)


def test_they_are_words_that_a_person_can_check(bert: BertTokenizerFast) -> None:
    assert Tokenise(tokenizer="tokenizer")(given("apples with cream")).tolist() == [2, 5, 8, 7, 9, 3]


def test_threads_get_what_one_gets(bert: BertTokenizerFast) -> None:
    tokenise = Tokenise(tokenizer="tokenizer", max_length=8)
    texts = TEXTS * 50
    alone = [tokenise(given(text)).tolist() for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert [ids.tolist() for ids in threads.map(lambda text: tokenise(given(text)), texts)] == alone


def test_it_neither_pads_nor_stacks_nor_warns(bert: BertTokenizerFast, project: Path) -> None:
    settings = json.loads((project / "tokenizer" / "tokenizer.json").read_text())
    settings["padding"] = {
        "strategy": {"Fixed": 12},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (project / "tokenizer" / "tokenizer.json").write_text(json.dumps(settings))
    assert Tokenise(tokenizer="tokenizer")(given("pie")).tolist() == [2, 6, 3]
    assert not Tokenise.stacks
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


def test_a_text_without_a_token_is_one_zero_step(project: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"apple": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(project / "words")
    tokenise = Tokenise(tokenizer="words", max_length=2)
    assert tokenise(given(" ")).tolist() == [0]
    assert tokenise(given("apple pie apple")).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenizer": "owner/absent"}, r"cannot make 'owner/absent'.*(\n.*)*hf download owner/absent"),
        ({"tokenizer": "empty"}, "cannot make 'empty'"),
        ({"tokenizer": "x/../../out"}, "leaves the project"),
        ({"tokenizer": "tokenizer", "max_length": 2}, "leaves no room beside the special tokens"),
    ],
)
def test_what_cannot_be_loaded_is_named(
    options: dict[str, object], message: str, bert: BertTokenizerFast, project: Path
) -> None:
    (project / "empty").mkdir()
    with pytest.raises(BuildError, match=message):
        Tokenise(**options)  # type: ignore[arg-type]


def test_code_in_a_folder_is_never_run(bert: BertTokenizerFast, project: Path) -> None:
    folder = project / "tokenizer"
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": [None, "evil.Mine"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    with pytest.raises(BuildError, match="cannot make 'tokenizer'"):
        Tokenise(tokenizer="tokenizer")
    assert not (project / "ran").exists()
