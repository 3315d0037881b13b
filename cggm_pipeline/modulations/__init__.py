"""modulations: how the training of the modalities is balanced; one method per file, torch alone, usable in any loop.

Wrap one call around `loss.backward()`: `method.backward(loss, Step(features, fused, logits, target))`. See
docs/modulations.md.
"""

from cggm_pipeline.modulations.base import Modulation, Parts, Record, Step
from cggm_pipeline.modulations.cggm import CGGM
from cggm_pipeline.modulations.none import NoModulation
from cggm_pipeline.modulations.ogm_ge import OGMGE
from cggm_pipeline.modulations.scores import accuracy, sign_accuracy
from cggm_pipeline.modulations.unimodal_losses import UnimodalLosses

__all__ = [
    "CGGM",
    "OGMGE",
    "Modulation",
    "NoModulation",
    "Parts",
    "Record",
    "Step",
    "UnimodalLosses",
    "accuracy",
    "sign_accuracy",
]
