"""The protocol and its hash: equal where numbers can be compared, different where they cannot."""

from __future__ import annotations

import json

import pytest
import yaml

from cggm_pipeline.report import protocol as protocols
from cggm_pipeline.report.material import gather
from cggm_pipeline.report.metrics import metric
from cggm_pipeline.report.specs import read_table
from cggm_pipeline.spec.encoders import SMP, Text


def protocol_of(written):
    material = gather(read_table("digits", written.root), written.root)
    return protocols.make(material, (metric("accuracy"), metric("f1_macro")))


def edit(written, slug, old, new):
    path = written.root / f"specs/resolved/digits/{slug}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_it_names_what_numbers_depend_on(written):
    common = protocol_of(written).common
    assert common["samples"] == {"train": 1078, "valid": 270, "test": 240}
    assert common["epochs"] == 20
    assert common["optimizer"]["lr"] == 1e-3
    assert common["selection"] == "epoch with the max accuracy on the validation split"
    assert common["versions"]["torch"] == "2.15.0"
    assert common["data digest"] == "ab" * 32
    assert "bootstrap" in common["95 % intervals of Accuracy"]
    assert "bootstrap" not in common["95 % intervals of Macro F1"]


def test_the_hash_is_twelve_hex_digits_and_always_the_same(written):
    first = protocol_of(written)
    assert len(first.hash) == 12
    int(first.hash, 16)
    assert protocol_of(written).hash == first.hash


def test_the_method_and_the_description_are_no_part_of_it(written):
    before = protocol_of(written).hash
    edit(written, "cggm-paper", "rho: 1.3", "rho: 1.2")
    edit(written, "joint", 'description: ""', "description: other words")
    assert protocol_of(written).hash == before


def test_what_one_row_does_differently_is_named_for_all_that_differ(written):
    before = protocol_of(written)
    assert before.rows == {}
    edit(written, "ogm-ge", "epochs: 20", "epochs: 40")
    after = protocol_of(written)
    assert after.hash != before.hash
    assert "epochs" not in after.common
    assert after.rows["ogm-ge"]["epochs"] == 40
    assert after.rows["joint"]["epochs"] == 20


@pytest.mark.parametrize(
    ("key", "value", "name", "told"),
    [
        ("augment", [{"kind": "mirror"}], "augmentation", "mirror, probability 0.5, axes width"),
        ("classifiers", {"lr": 0.25}, "classifiers", "lr 0.25, weight_decay 0, scheduled yes"),
        ("training", {"per_group": 2}, "samples of a group in an epoch", "2"),
    ],
)
def test_what_changes_the_training_is_part_of_it(written, key, value, name, told):
    before = protocol_of(written)
    assert name not in before.common
    path = written.root / "specs/resolved/digits/joint.yaml"
    document = yaml.safe_load(path.read_text())
    document[key] = {**document[key], **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(document))
    after = protocol_of(written)
    assert after.hash != before.hash
    assert told in protocols.plain(after.rows["joint"][name])


def test_transforms_are_part_of_it(written):
    path = written.root / "specs/resolved/digits/joint.yaml"
    document = yaml.safe_load(path.read_text())
    document["modalities"]["noisy"]["transforms"] = [{"kind": "noise", "std": 0.5}]
    path.write_text(yaml.safe_dump(document))
    assert "noise, std 0.5" in protocols.plain(protocol_of(written).rows["joint"]["transforms"])


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (SMP(kind="smp", model="resnet18"), "random, from (seed, module name)"),
        (SMP(kind="smp", model="resnet18", weights="imagenet"), "imagenet weights of resnet18"),
        (Text(kind="text", model="bert-tiny", revision="a1" * 20), f"pretrained bert-tiny at {'a1' * 20}"),
        (Text(kind="text", model="bert-base-uncased", freeze=True), "pretrained bert-base-uncased, frozen"),
    ],
)
def test_where_initial_weights_come_from(encoder, said):
    assert protocols._weights(encoder) == said


def test_other_data_are_another_protocol(written):
    before = protocol_of(written).hash
    for slug in written.rows:
        path = written.runs / slug / "train" / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "cd" * 32}))
    assert protocol_of(written).hash != before


def test_values_for_people():
    assert protocols.plain({"kind": "adam", "lr": 1e-3, "betas": [0.9, 0.999]}) == "adam, lr 0.001, betas 0.9 0.999"
    assert protocols.plain(None) == "–"
    assert protocols.plain(True) == "yes"
    assert protocols.plain({"train": 1078}) == "train 1,078"
