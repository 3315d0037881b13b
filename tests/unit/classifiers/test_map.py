"""The classifier of a network whose z is a map."""

import torch
from torch import nn

from cggm_pipeline.classifiers.map import MapClassifier
from cggm_pipeline.fusions.deeplab import DeepLab
from cggm_pipeline.layers.features import Features


def test_it_is_the_decoder_over_one_modality_and_a_convolution() -> None:
    torch.manual_seed(0)
    decoder = DeepLab({MapClassifier.own: (1, 2, 3)}, width=5, low_width=2, low_level=1)
    made = MapClassifier(decoder, 4).eval()
    assert isinstance(made.head, nn.Conv2d)
    assert made.head.kernel_size == (1, 1)
    features = Features([torch.randn(2, width, 8 >> level, 8 >> level) for level, width in enumerate((1, 2, 3))])
    logits = made(features)
    assert logits.shape == (2, 4, 4, 4)
    torch.testing.assert_close(logits, made.head(decoder({MapClassifier.own: features}).tensor))


def test_the_released_classifier_has_as_many_parameters() -> None:
    with torch.device("meta"):
        made = MapClassifier(DeepLab({MapClassifier.own: (1, 64, 256, 512, 1024, 256)}), 4)
    assert sum(p.numel() for p in made.parameters()) == 12_384 + 700_928 + 590_336 + 1_028 == 1_304_676
