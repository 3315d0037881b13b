"""The words of the messages: place, what was found, what is allowed, what to do; never pydantic's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

X = "specs/experiments/x.yaml"
RULE = "lower-case letters"

CASES = [
    # one change to the good experiment, the place, the message, what stands in hint or allowed
    (
        "preset: paper",
        "preset: paper, roh: 1.3",
        "9:41: modulation.roh",
        "not a parameter of cggm",
        "did you mean 'rho'?",
    ),
    ("epochs: 30", "epochs: -3", "10:20: training.epochs", "-3 is not an integer of at least 0", ""),
    ("epochs: 30", "epochs: 1e3", "10:20: training.epochs", "1e3 is not an integer of at least 0", "write 1000"),
    ("epochs: 30", "epochs: 1.5", "10:20: training.epochs", "1.5 is not an integer of at least 0", ""),
    ("epochs: 30", "epochs: true", "10:20: training.epochs", "true is not an integer of at least 0", ""),
    ("epochs: 30", "epochs: '30'", "10:20: training.epochs", "'30' is not an integer of at least 0", "write 30"),
    ("epochs: 30", "epochs: 1_000", "10:20: training.epochs", "1_000 is not an integer of at least 0", "write 1000"),
    ("epochs: 30", "epochs: [30]", "10:20: training.epochs", "a list is not an integer of at least 0", ""),
    ("epochs: 30", "epochs: 5000000000", "10:20: training.epochs", "5000000000 is more than 1000000000", ""),
    ("epochs: 30", "epochs: null", "10:20: training.epochs", "null is not an integer of at least 0", ""),
    ("epochs: 30", "epoch: 30", "10:12: training.epoch", "not a parameter of training", "did you mean 'epochs'?"),
    ("epochs: 30, ", "", "10:1: training", "'epochs' is missing", "an integer of at least 0"),
    ("lr: 1e-3", "lr: -1e-3", "10:52: training.optimizer.lr", "-1e-3 is not a positive number", ""),
    ("lr: 1e-3", "lr: 0", "10:52: training.optimizer.lr", "0 is not a positive number", ""),
    ("lr: 1e-3", "lr: .nan", "10:52: training.optimizer.lr", ".nan is not a finite number", ""),
    ("lr: 1e-3", "lr: .inf", "10:52: training.optimizer.lr", ".inf is not a finite number", ""),
    ("lr: 1e-3", "lr: nan", "10:52: training.optimizer.lr", "nan is not a positive number", ""),
    ("lr: 1e-3", "lr: '1e-3'", "10:52: training.optimizer.lr", "'1e-3' is not a positive number", "write 0.001"),
    ("lr: 1e-3", "betas: [0.9]", "10:55: training.optimizer.betas", "a list has too few items", "exactly 2 items"),
    ("lr: 1e-3", "betas: [0.9, 1]", "10:61: training.optimizer.betas.1", "1 is not a number in [0, 1)", ""),
    ("kind: adam", "kind: adm", "10:42: training.optimizer.kind", "'adm' is not a kind of optimizer", "mean 'adam'?"),
    ("kind: adam, ", "", "10:24: training.optimizer", "'kind' is missing", "sgd, adam, adamw"),
    ("kind: cggm", "kind: cgmm", "9:20: modulation.kind", "'cgmm' is not a kind of modulation", "did you mean 'cggm'?"),
    ("kind: cggm", "kind: 3", "9:20: modulation.kind", "'3' is not a kind of modulation", "ogm_ge, cggm"),
    ("{kind: cggm, preset: paper}", "cggm", "9:13: modulation", "cggm is not a mapping with kind: ", "{kind: cggm}"),
    ("preset: paper", "preset: papr", "9:34: modulation.preset", "papr is not paper | released | stable", "'paper'?"),
    (", preset: paper", "", "9:1: modulation", "'preset' is missing", "paper | released | stable"),
    ("preset: paper", "preset: paper, rho: -1", "9:46: modulation.rho", "-1 is not a number of at least 0", ""),
    (
        "preset: paper",
        "preset: paper, normalise: yes",
        "9:52: modulation.normalise",
        "yes is not true",
        "write true or",
    ),
    ("data: mosi", "data: a/b", "3:7: data", "a/b is not a name", "for example 'a-b'"),
    ("data: mosi", "data: MOSI", "3:7: data", "MOSI is not a name", "for example 'mosi'"),
    ("  text:", "  te/xt:", "6:3: modalities.te/xt", "'te/xt' is not a name", "for example 'te-xt'"),
    ("  text:", "  ..:", "6:3: modalities...", "'..' is not a name", RULE),
    ("  text:", "  my text:", "6:3: modalities.my text", "'my text' is not a name", "for example 'my-text'"),
    ("  text:", "  $(reboot):", "6:3: modalities.$(reboot)", "'$(reboot)' is not a name", RULE),
    ("  text:", "  'a;b':", "6:3: modalities.a;b", "'a;b' is not a name", RULE),
    ("  text:", '  "a\\nb":', "6:3: modalities.'a\\nb'", "'a b' is not a name", RULE),
    ("task:", "seeds: []\ntask:", "8:8: seeds", "a list has too few items", "at least 1"),
    ("task:", "seeds: 3\ntask:", "8:8: seeds", "3 is not a list, each item an integer of at least 0", ""),
    ("task:", "fill: {kind: zeros, zeros: 1}\ntask:", "8:21: fill.zeros", "not a parameter of zeros", ""),
    ("training:", "trainin:", "10:1: trainin", "not a parameter of experiment", "did you mean 'training'?"),
    ("version: 1", "version: 2", "1:10: version", "2 is not a known version", "1"),
    ("version: 1", "version: 1.0", "1:10: version", "1.0 is not a known version", "1"),
    ("version: 1\n", "", "1:1: ", "'version' is missing", "add version: 1"),
    ("kind: experiment", "kind: experimnt", "2:7: kind", "experimnt is not a kind of document", "'experiment'?"),
    ("kind: experiment\n", "", "1:1: ", "'kind' is missing", "add kind: experiment"),
    (
        "width: 40, heads: 5}}\n  text",
        "width: 40, heads: 5}, transforms: [{kind: nose, std: 1}]}\n  text",
        "5:82: modalities.audio.transforms.0.kind",
        "'nose' is not a kind of transform",
        "did you mean 'noise'?",
    ),
    (
        "{kind: classification}",
        "{kind: classification, loss: {kind: cross_entropy, class_weights: [1, -2, 1]}}",
        "8:77: task.loss.class_weights.1",
        "-2 is not a positive number",
        "",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "message", "advice"), CASES, ids=[case[1] for case in CASES])
def test_message(desk: Desk, old: str, new: str, place: str, message: str, advice: str) -> None:
    found = desk.experiment(old, new)
    matching = [one for one in found if f"{one.line}:{one.column}: {one.key}" == place and message in one.message]
    assert len(matching) == 1, "\n".join(map(str, found))
    assert matching[0].file == X
    assert advice in f"{matching[0].hint} {matching[0].allowed}"
    assert matching[0].source
    assert not any(
        re.search("Input should|Extra inputs|Field required|valid (integer|string)", str(one)) for one in found
    )


def test_the_good_experiment_has_no_fault(desk: Desk) -> None:
    assert desk.experiment() == []


def test_a_document_that_is_no_mapping(desk: Desk) -> None:
    (problem,) = desk.problems("experiments/x.yaml", "- 1\n- 2\n")
    assert problem.message == "a list is not a mapping"


def test_all_faults_of_a_file_are_told_at_once(desk: Desk) -> None:
    """The transcript of experience.md, "A typo": three faults of three kinds in one run."""
    text = (
        desk.good.replace("  text:", "  txt:")
        .replace("preset: paper", "preset: paper, roh: 1.3")
        .replace("epochs: 30", "epochs: -3")
    )
    assert "\n".join(map(str, desk.problems("experiments/x.yaml", text))) == (
        "specs/experiments/x.yaml:6:3: error: modalities.txt: 'mosi' has no modality 'txt'\n"
        "    6 |   txt: {encoder: {kind: transformer, width: 40, heads: 5}}\n"
        "      |   ^^^ did you mean 'text'?  (allowed: audio, text, vision)\n"
        "specs/experiments/x.yaml:9:41: error: modulation.roh: not a parameter of cggm\n"
        "    9 | modulation: {kind: cggm, preset: paper, roh: 1.3}\n"
        f"      |{' ' * 41}^^^ did you mean 'rho'?  (allowed: preset, rho, lam, normalise)\n"
        "specs/experiments/x.yaml:10:20: error: training.epochs: -3 is not an integer of at least 0\n"
        "   10 | training: {epochs: -3, optimizer: {kind: adam, lr: 1e-3}}\n"
        "      |                    ^^"
    )


@pytest.mark.parametrize("form", ["1e-3", "1.0e-3", "1E-3", "0.001", ".001", "1.e-3", "0.1e-2"])
def test_every_way_to_write_a_rate_is_the_same_number(desk: Desk, form: str) -> None:
    from cggm_pipeline.spec import Project, load_experiment

    path = desk.write("experiments/x.yaml", desk.good.replace("1e-3", form))
    assert load_experiment(path, Project(desk.root)).spec.training.optimizer.lr == 0.001
