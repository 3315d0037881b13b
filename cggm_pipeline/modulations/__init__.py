"""modulations: how the training of the modalities is balanced; one method per file, torch alone, usable in any loop.

Wrap one call around `loss.backward()`: `method.backward(loss, Step(features, fused, logits, target))`. See
docs/modulations.md.
"""

from cggm_pipeline.modulations.agm import AGM
from cggm_pipeline.modulations.amco import AMCo
from cggm_pipeline.modulations.arl import ARL
from cggm_pipeline.modulations.base import Modulation, Parts, Probe, Record, Rehearsal, Step
from cggm_pipeline.modulations.cggm import CGGM
from cggm_pipeline.modulations.cml import CML
from cggm_pipeline.modulations.dgl import DGL
from cggm_pipeline.modulations.g_blending import GBlending
from cggm_pipeline.modulations.greedy import Greedy
from cggm_pipeline.modulations.info_reg import InfoReg
from cggm_pipeline.modulations.lfm import LFM
from cggm_pipeline.modulations.mbsd import MBSD
from cggm_pipeline.modulations.miles import MILES
from cggm_pipeline.modulations.mla import MLA
from cggm_pipeline.modulations.mlb import MLB
from cggm_pipeline.modulations.mm_pareto import MMPareto
from cggm_pipeline.modulations.mses import MSES
from cggm_pipeline.modulations.mslr import MSLR
from cggm_pipeline.modulations.none import NoModulation
from cggm_pipeline.modulations.ogm_ge import OGMGE
from cggm_pipeline.modulations.opm import OPM
from cggm_pipeline.modulations.pmr import PMR
from cggm_pipeline.modulations.recon_boost import ReconBoost
from cggm_pipeline.modulations.relearning import Relearning
from cggm_pipeline.modulations.scores import accuracy, sign_accuracy
from cggm_pipeline.modulations.ume import UME
from cggm_pipeline.modulations.umt import UMT
from cggm_pipeline.modulations.unimodal_losses import UnimodalLosses

__all__ = [
    "AGM",
    "ARL",
    "CGGM",
    "CML",
    "DGL",
    "LFM",
    "MBSD",
    "MILES",
    "MLA",
    "MLB",
    "MSES",
    "MSLR",
    "OGMGE",
    "OPM",
    "PMR",
    "UME",
    "UMT",
    "AMCo",
    "GBlending",
    "Greedy",
    "InfoReg",
    "MMPareto",
    "Modulation",
    "NoModulation",
    "Parts",
    "Probe",
    "ReconBoost",
    "Record",
    "Rehearsal",
    "Relearning",
    "Step",
    "UnimodalLosses",
    "accuracy",
    "sign_accuracy",
]
