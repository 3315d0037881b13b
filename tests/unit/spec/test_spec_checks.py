"""What fits what: sections of an experiment against one another and against the dataset; the dataset against itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

TEXT = "  text: {encoder: {kind: transformer, width: 40, heads: 5}}\n"
BOTH = "{kind: transformer, heads: 5}"

EXPERIMENTS = [
    (
        "{kind: transformer, width: 40, heads: 5}",
        "{kind: conv, output: pyramid}",
        "5:41: modalities.audio.encoder.output",
        "a pyramid needs images (C, H, W); 'audio' is of shape (50, 5)",
        "",
    ),
    (
        "heads: 5}}\n  text",
        "heads: 5}, transforms: [{kind: normalise, mean: [1, 2], std: [1]}]}\n  text",
        "5:99: modalities.audio.transforms.0.mean",
        "2 numbers for 5 channels; 'audio' is of shape (50, 5)",
        "",
    ),
    ("  text:", "  txt:", "6:3: modalities.txt", "'mosi' has no modality 'txt'", "did you mean 'text'?"),
    (TEXT, "", "8:20: modulation.kind", "cggm balances 2 modalities or more, one is in use", "use kind: none"),
    ("task:", "use: [text]\ntask:", "10:20: modulation.kind", "one is in use", "use kind: none"),
    ("task:", "use: [text, adio]\ntask:", "8:13: use.1", "there is no modality 'adio'", "did you mean 'audio'?"),
    ("task:", "use: [text, text, audio]\ntask:", "8:13: use.1", "the modality text stands twice", "remove"),
    ("task:", "seeds: [1, 1]\ntask:", "8:12: seeds.1", "the seed 1 stands twice", "remove"),
    ("width: 40", "width: 41", "5:58: modalities.audio.encoder.heads", "5 heads do not divide the width 41", "1, 41"),
    ("width: 40, heads: 5", "width: 20, heads: 5", "7:16: fusion.kind", "needs features of one width: audio 20", ""),
    (
        BOTH,
        "{kind: transformer, heads: 7}",
        "7:36: fusion.heads",
        "7 heads do not divide the features' width 40",
        "1, 2",
    ),
    (BOTH, "{kind: concat}", "7:16: fusion.kind", "concat reads vector; the encoder of 'text' gives tokens", "output"),
    (
        BOTH,
        "{kind: concat}",
        "7:16: fusion.kind",
        "'text' gives tokens",
        "set modalities.text.encoder.output: first or mean",
    ),
    (
        "{kind: transformer, width: 40, heads: 5}}\nfusion: {kind: transformer, heads: 5}",
        "{kind: mlp}}\nfusion: {kind: deeplab}",
        "7:16: fusion.kind",
        "deeplab reads pyramid; the encoder of 'text' gives vector",
        "mlp has no such output: take another encoder, or another fusion",
    ),
    *(
        (
            "{kind: transformer, width: 40, heads: 5}}\nfusion",
            f"{{kind: text, model: {name}}}}}\nfusion",
            "6:39: modalities.text.encoder.model",
            "is not a hub id or a folder",
            "no address, no leading /, no ..",
        )
        for name in ("../bert", "/abs/bert", "https://x.y/bert", "a b", "'$(rm)'", "./bert", "a/../../b", "a//b")
    ),
    (BOTH, "{kind: film, condition: vison}", "7:33: fusion.condition", "there is no modality 'vison' in use", "audio"),
    (
        "{kind: transformer, width: 40, heads: 5}",
        "{kind: conv, output: pyramid}",
        "7:16: fusion.kind",
        "transformer reads tokens, vector; the encoder of 'audio' gives pyramid",
        "modalities.audio.encoder.output",
    ),
    (
        "{kind: transformer, width: 40, heads: 5}",
        "{kind: timm, model: resnet18}",
        "5:27: modalities.audio.encoder.kind",
        "timm reads (C, H, W); 'audio' is of shape (50, 5)",
        "",
    ),
    (
        "heads: 5}}\n  text",
        "heads: 5}, transforms: [{kind: resize, size: [8, 8]}]}\n  text",
        "5:75: modalities.audio.transforms.0",
        "resize reads (C, H, W); 'audio' is of shape (50, 5)",
        "",
    ),
    ("task: {kind: classification}", "task: {kind: regression}", "8:14: task.kind", "regression needs values", ""),
    (
        "{kind: classification}",
        "{kind: classification, loss: {kind: cross_entropy, class_weights: [1, 2]}}",
        "8:73: task.loss.class_weights",
        "2 weights for 3 classes",
        "",
    ),
    (
        "epochs: 30",
        "epochs: 30, selection: {metric: acuracy, mode: max}",
        "10:44: training.selection.metric",
        "'acuracy' is not a metric of classification",
        "did you mean 'accuracy'?",
    ),
    (
        "epochs: 30",
        "epochs: 30, selection: {metric: nll, mode: max}",
        "10:55: training.selection.mode",
        "the best nll is not its maximum",
        "write min",
    ),
    (
        "task:",
        "classifiers: {heads: 3}\ntask:",
        "8:22: classifiers.heads",
        "3 heads do not divide the width 40 of 'audio'",
        "1, 2, 4",
    ),
]

DATASETS = [
    ("[text], type: npy", "[label], type: npy", "7:22: source.columns.text.columns.0", "'label' is the target", ""),
    ("path: data/raw/mosi/mosi.csv", "path: ../mosi.csv", "5:9: source.path", "../mosi.csv is not a path inside", ""),
    ("path: data/raw/mosi/mosi.csv", "path: /etc/passwd", "5:9: source.path", "/etc/passwd is not a path inside", ""),
    ("path: data/raw/mosi/mosi.csv", "path: a/../../b", "5:9: source.path", "a/../../b is not a path inside", ""),
    ("path: data/raw/mosi/mosi.csv", "path: $HOME/b", "5:9: source.path", "$HOME/b is not a path inside", "shell"),
    (
        "path: data/raw/mosi/mosi.csv",
        "path: 'a;rm -rf'",
        "5:9: source.path",
        "'a;rm -rf' is not a path inside",
        "shell",
    ),
    ("path: data/raw/mosi/mosi.csv", "path: ''", "5:9: source.path", "'' is not a path inside", ""),
    ("  split: split\n", "", "11:15: split.kind", "table carries no split of its own", "source.split"),
    ("published", "random, valid: 0.5, test: 0.5", "12:41: split.test", "leave nothing to train on", "less than 1"),
    ("published", "random, valid: 1.5", "12:30: split.valid", "1.5 is not a number in (0, 1)", ""),
    ("{shape: [50, 5]}", "{shape: []}", "14:18: modalities.audio.shape", "an array needs a shape", "[T, D]"),
    (
        "{shape: [50, 5]}",
        "{shape: [0, 5]}",
        "14:19: modalities.audio.shape.0",
        "0 is not a positive integer or null",
        "",
    ),
    ("{shape: [50, 5]}", "{shape: [2], dtype: text}", "14:18: modalities.audio.shape", "text has no shape", "[]"),
    ("  audio: {shape", "  audo: {shape", "14:3: modalities.audo", "source.columns has no 'audo'", "mean 'audio'?"),
    ("  audio: {shape", "  audo: {shape", "8:5: source.columns.audio", "not among the modalities", "mean 'audo'?"),
    (
        "type: npy}\n    audio",
        "type: image}\n    audio",
        "15:17: modalities.text.shape",
        "no shape of type image",
        "[C, H",
    ),
    ("type: npy}\n    audio", "type: text}\n    audio", "7:35: source.columns.text.type", "dtype is float32", ""),
    (
        "[text], type: npy",
        "[a, b], type: npy",
        "7:21: source.columns.text.columns",
        "2 columns of type npy",
        "one column",
    ),
    ("[text], type: npy", "[a, b], type: numbers", "15:17: modalities.text.shape", "no shape of type numbers", "[D]"),
    ("number: 3", "number: 3, names: [a, b]", "17:43: target.names", "2 names for 3 classes", ""),
    ("number: 3", "number: 2, names: [a, a]", "17:47: target.names.1", "the class 'a' stands twice", ""),
    ("kind: published", "kind: stratifid", "12:15: split.kind", "'stratifid' is not a kind of split", "'stratified'?"),
]

DIGITS = """\
version: 1
kind: dataset
source: {kind: digits_two_view}
split: {kind: stratified}
modalities:
  rotated: {shape: [1, 8, 8]}
  noisy: {shape: [1, 8, 8]}
target: {kind: classes, number: 10}
"""


def _expect(found: list, place: str, message: str, advice: str) -> None:
    matching = [one for one in found if f"{one.line}:{one.column}: {one.key}" == place and message in one.message]
    assert len(matching) == 1, "\n".join(map(str, found))
    assert advice in f"{matching[0].hint} {matching[0].allowed}"


@pytest.mark.parametrize(("old", "new", "place", "message", "advice"), EXPERIMENTS, ids=[c[3] for c in EXPERIMENTS])
def test_experiment(desk: Desk, old: str, new: str, place: str, message: str, advice: str) -> None:
    _expect(desk.experiment(old, new), place, message, advice)


@pytest.mark.parametrize(("old", "new", "place", "message", "advice"), DATASETS, ids=[c[1] for c in DATASETS])
def test_dataset(desk: Desk, old: str, new: str, place: str, message: str, advice: str) -> None:
    _expect(desk.dataset(old, new), place, message, advice)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("  noisy: {shape: [1, 8, 8]}\n", "", "5:1: modalities", "'noisy' of digits_two_view is missing"),
        ("noisy:", "nosy:", "7:3: modalities.nosy", "digits_two_view has no modality 'nosy'"),
        ("noisy: {shape: [1, 8, 8]}", "noisy: {shape: [64]}", "7:18: modalities.noisy.shape", "is not the shape"),
        ("number: 10", "number: 9", "8:33: target.number", "digits_two_view has 10 classes"),
        ("kind: stratified", "kind: published", "4:15: split.kind", "carries no split of its own"),
    ],
)
def test_a_source_that_knows_its_own_shapes(desk: Desk, old: str, new: str, place: str, message: str) -> None:
    _expect(desk.problems("datasets/digits.yaml", DIGITS.replace(old, new)), place, message, "")


PUBLISHED = """\
version: 1
kind: dataset
source: {kind: mosi}
split: {kind: published}
modalities: {audio: {shape: [50, 5]}, text: {shape: [50, 300]}, vision: {shape: [50, 20]}}
target: {kind: values, width: 1}
"""


def test_published_data_have_their_own_modalities(desk: Desk) -> None:
    assert desk.problems("datasets/mosi.yaml", PUBLISHED) == []
    found = desk.problems("datasets/mosi.yaml", PUBLISHED.replace("vision:", "visio:"))
    _expect(found, "5:65: modalities.visio", "mosi has no modality 'visio'", "did you mean 'vision'?")
    _expect(found, "5:1: modalities", "'vision' of mosi is missing", "add vision:")


def test_stratified_needs_classes(desk: Desk) -> None:
    text = "kind: values}"
    found = desk.problems("datasets/mosi.yaml", _mosi(desk).replace("kind: classes, number: 3}", text))
    assert found == []
    found = desk.problems(
        "datasets/x.yaml", _mosi(desk).replace("kind: classes, number: 3}", text).replace("published", "stratified")
    )
    _expect(found, "12:15: split.kind", "stratified needs classes", "use kind: random")


def _mosi(desk: Desk) -> str:
    return (desk.root / "specs/datasets/mosi.yaml").read_text()


def test_a_varying_size_that_the_encoder_must_know(desk: Desk) -> None:
    desk.dataset("{shape: [50, 5]}", "{shape: [null, 5]}")
    assert desk.problems("experiments/cggm.yaml") == []
    found = desk.experiment(
        "audio: {encoder: {kind: transformer, width: 40, heads: 5}}", "audio: {encoder: {kind: mlp}}"
    )
    _expect(
        found,
        "5:27: modalities.audio.encoder.kind",
        "mlp needs fixed sizes; 'audio' is of shape (varying, 5)",
        "resize",
    )


def test_one_modality_with_cggm_switched_off_is_joint_training(desk: Desk) -> None:
    assert desk.experiment("preset: paper}", "preset: paper, rho: null, lam: 0}\nuse: [text]") == []


def test_sections_that_can_be_read_are_checked_beside_wrong_ones(desk: Desk) -> None:
    text = desk.good.replace("  text:", "  txt:").replace("{kind: transformer, heads: 5}", "{kind: transfrmer}")
    assert [one.key for one in desk.problems("experiments/x.yaml", text)] == ["modalities.txt", "fusion.kind"]


def test_metrics_are_those_that_the_tasks_measure() -> None:
    pytest.importorskip("torch")
    from cggm_pipeline.spec import tasks as specs
    from cggm_pipeline.tasks.classification import Classification
    from cggm_pipeline.tasks.regression import Regression

    assert specs.Classification.metrics == Classification.higher_is_better
    assert specs.Regression.metrics == Regression.higher_is_better
