"""Modulations: how the training of the modalities is balanced. The methods themselves: `cggm_pipeline.modulations`."""

from typing import Annotated

from pydantic import Field

from cggm_pipeline.spec.modulations.agm import AGM
from cggm_pipeline.spec.modulations.amco import AMCo
from cggm_pipeline.spec.modulations.arl import ARL
from cggm_pipeline.spec.modulations.base import Classifiers, ModulationSpec
from cggm_pipeline.spec.modulations.cggm import CGGM
from cggm_pipeline.spec.modulations.cml import CML
from cggm_pipeline.spec.modulations.dgl import DGL
from cggm_pipeline.spec.modulations.g_blending import GBlending
from cggm_pipeline.spec.modulations.greedy import Greedy
from cggm_pipeline.spec.modulations.info_reg import InfoReg
from cggm_pipeline.spec.modulations.lfm import LFM
from cggm_pipeline.spec.modulations.mbsd import MBSD
from cggm_pipeline.spec.modulations.miles import MILES
from cggm_pipeline.spec.modulations.mla import MLA
from cggm_pipeline.spec.modulations.mlb import MLB
from cggm_pipeline.spec.modulations.mm_pareto import MMPareto
from cggm_pipeline.spec.modulations.mses import MSES
from cggm_pipeline.spec.modulations.mslr import MSLR
from cggm_pipeline.spec.modulations.none import NoModulation
from cggm_pipeline.spec.modulations.ogm_ge import OGMGE
from cggm_pipeline.spec.modulations.opm import OPM
from cggm_pipeline.spec.modulations.pmr import PMR
from cggm_pipeline.spec.modulations.recon_boost import ReconBoost
from cggm_pipeline.spec.modulations.relearning import Relearning
from cggm_pipeline.spec.modulations.ume import UME
from cggm_pipeline.spec.modulations.umt import UMT
from cggm_pipeline.spec.modulations.unimodal_losses import UnimodalLosses

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
    "Classifiers",
    "GBlending",
    "Greedy",
    "InfoReg",
    "MMPareto",
    "Modulation",
    "ModulationSpec",
    "NoModulation",
    "ReconBoost",
    "Relearning",
    "UnimodalLosses",
]

Modulation = Annotated[
    NoModulation
    | UnimodalLosses
    | OGMGE
    | CGGM
    | OPM
    | AGM
    | MSLR
    | MSES
    | GBlending
    | Greedy
    | PMR
    | MMPareto
    | Relearning
    | MLA
    | ReconBoost
    | UMT
    | UME
    | LFM
    | CML
    | MBSD
    | AMCo
    | InfoReg
    | MLB
    | DGL
    | ARL
    | MILES,
    Field(discriminator="kind"),
]
