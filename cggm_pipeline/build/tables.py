"""Which class implements which kind: room -> kind -> "module:Class". Strings only, so that reading it costs nothing.

A new member of a room is one row here, one spec class and one file (docs/extending.md). The contract tests run over
these tables, so they pick it up by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

TABLES: Mapping[str, Mapping[str, str]] = {
    "encoders": {
        "mlp": "cggm_pipeline.encoders.mlp:MLP",
        "conv": "cggm_pipeline.encoders.conv:Conv",
        "transformer": "cggm_pipeline.encoders.transformer:Transformer",
        "projection": "cggm_pipeline.encoders.projection:Projection",
        "timm": "cggm_pipeline.encoders.timm:Timm",
        "smp": "cggm_pipeline.encoders.smp:SMP",
        "text": "cggm_pipeline.encoders.text:Text",
        "embedding": "cggm_pipeline.encoders.embedding:Embedding",
        "custom": "cggm_pipeline.encoders.custom:Custom",
    },
    "fills": {
        "zeros": "cggm_pipeline.fills.zeros:Zeros",
        "mean": "cggm_pipeline.fills.mean:Mean",
        "modality_dropout": "cggm_pipeline.fills.modality_dropout:ModalityDropout",
        "generated": "cggm_pipeline.fills.generated:Generated",
        "missing_aware": "cggm_pipeline.fills.missing_aware:MissingAware",
    },
    "fusions": {
        "concat": "cggm_pipeline.fusions.concat:Concat",
        "sum": "cggm_pipeline.fusions.sum:Sum",
        "gated": "cggm_pipeline.fusions.gated:Gated",
        "film": "cggm_pipeline.fusions.film:Film",
        "transformer": "cggm_pipeline.fusions.transformer:Transformer",
        "mult": "cggm_pipeline.fusions.mult:MulT",
        "low_rank": "cggm_pipeline.fusions.low_rank:LowRank",
        "late": "cggm_pipeline.fusions.late:Late",
        "mean": "cggm_pipeline.fusions.mean:Mean",
        "mmtm": "cggm_pipeline.fusions.mmtm:MMTM",
        "deeplab": "cggm_pipeline.fusions.deeplab:DeepLab",
        "smp_decoder": "cggm_pipeline.fusions.smp_decoder:SMPDecoder",
        "mm_cosine": "cggm_pipeline.fusions.mm_cosine:MMCosine",
    },
    "adapters": {
        "none": "cggm_pipeline.adapters.none:NoAdapter",
        "frozen": "cggm_pipeline.adapters.frozen:Frozen",
        "bitfit": "cggm_pipeline.adapters.bitfit:BitFit",
        "lora": "cggm_pipeline.adapters.lora:LoRA",
        "bottleneck": "cggm_pipeline.adapters.bottleneck:Bottleneck",
        "wander": "cggm_pipeline.adapters.wander:Wander",
    },
    "tasks": {
        "classification": "cggm_pipeline.tasks.classification:Classification",
        "regression": "cggm_pipeline.tasks.regression:Regression",
        "sentiment": "cggm_pipeline.tasks.sentiment:Sentiment",
        "segmentation": "cggm_pipeline.tasks.segmentation:Segmentation",
    },
    "losses": {
        "cross_entropy": "cggm_pipeline.tasks.losses.cross_entropy:CrossEntropy",
        "focal": "cggm_pipeline.tasks.losses.focal:Focal",
        "l1": "cggm_pipeline.tasks.losses.l1:L1",
        "mse": "cggm_pipeline.tasks.losses.mse:MSE",
        "huber": "cggm_pipeline.tasks.losses.huber:Huber",
        "cross_entropy_dice": "cggm_pipeline.tasks.losses.cross_entropy_dice:CrossEntropyDice",
        "smp_loss": "cggm_pipeline.tasks.losses.smp_loss:SMPLoss",
    },
    "transforms": {
        "resize": "cggm_pipeline.data.transforms.resize:Resize",
        "normalise": "cggm_pipeline.data.transforms.normalise:Normalise",
        "scale": "cggm_pipeline.data.transforms.scale:Scale",
        "flip": "cggm_pipeline.data.transforms.flip:Flip",
        "shift": "cggm_pipeline.data.transforms.shift:Shift",
        "noise": "cggm_pipeline.data.transforms.noise:Noise",
        "mask": "cggm_pipeline.data.transforms.mask:Mask",
        "tokenise": "cggm_pipeline.data.transforms.tokenise:Tokenise",
        "log_mel": "cggm_pipeline.data.transforms.log_mel:LogMel",
        "hash_words": "cggm_pipeline.data.transforms.hash_words:HashWords",
    },
    "augmentations": {
        "crop": "cggm_pipeline.data.augmentations.crop:Crop",
        "mirror": "cggm_pipeline.data.augmentations.mirror:Mirror",
    },
    "patterns": {
        "natural": "cggm_pipeline.data.patterns.natural:Natural",
        "rate": "cggm_pipeline.data.patterns.rate:Rate",
        "incomplete": "cggm_pipeline.data.patterns.incomplete:Incomplete",
        "fixed": "cggm_pipeline.data.patterns.fixed:Fixed",
    },
    "modulations": {
        "none": "cggm_pipeline.modulations.none:NoModulation",
        "unimodal_losses": "cggm_pipeline.modulations.unimodal_losses:UnimodalLosses",
        "ogm_ge": "cggm_pipeline.modulations.ogm_ge:OGMGE",
        "cggm": "cggm_pipeline.modulations.cggm:CGGM",
        "opm": "cggm_pipeline.modulations.opm:OPM",
        "agm": "cggm_pipeline.modulations.agm:AGM",
        "mslr": "cggm_pipeline.modulations.mslr:MSLR",
        "mses": "cggm_pipeline.modulations.mses:MSES",
        "g_blending": "cggm_pipeline.modulations.g_blending:GBlending",
        "greedy": "cggm_pipeline.modulations.greedy:Greedy",
        "pmr": "cggm_pipeline.modulations.pmr:PMR",
        "mm_pareto": "cggm_pipeline.modulations.mm_pareto:MMPareto",
        "relearning": "cggm_pipeline.modulations.relearning:Relearning",
        "mla": "cggm_pipeline.modulations.mla:MLA",
        "recon_boost": "cggm_pipeline.modulations.recon_boost:ReconBoost",
        "umt": "cggm_pipeline.modulations.umt:UMT",
        "ume": "cggm_pipeline.modulations.ume:UME",
        "lfm": "cggm_pipeline.modulations.lfm:LFM",
        "cml": "cggm_pipeline.modulations.cml:CML",
        "mbsd": "cggm_pipeline.modulations.mbsd:MBSD",
        "amco": "cggm_pipeline.modulations.amco:AMCo",
        "info_reg": "cggm_pipeline.modulations.info_reg:InfoReg",
        "mlb": "cggm_pipeline.modulations.mlb:MLB",
        "dgl": "cggm_pipeline.modulations.dgl:DGL",
        "arl": "cggm_pipeline.modulations.arl:ARL",
        "miles": "cggm_pipeline.modulations.miles:MILES",
    },
    "schedules": {
        "everything": "cggm_pipeline.schedules.everything:Everything",
        "alternating": "cggm_pipeline.schedules.alternating:Alternating",
        "smv": "cggm_pipeline.schedules.smv:SMV",
        "thinned": "cggm_pipeline.schedules.thinned:Thinned",
    },
    "predictors": {
        "plain": "cggm_pipeline.evaluation.predictors.plain:Plain",
        "entropy_weighted": "cggm_pipeline.evaluation.predictors.entropy_weighted:EntropyWeighted",
        "norm_statistics": "cggm_pipeline.evaluation.predictors.norm_statistics:NormStatistics",
        "tent": "cggm_pipeline.evaluation.predictors.tent:Tent",
        "casp": "cggm_pipeline.evaluation.predictors.casp:CASP",
    },
    "sources": {
        "digits_two_view": "cggm_pipeline.data.sources.digits_two_view:DigitsTwoView",
        "table": "cggm_pipeline.data.sources.table:Table",
        "mosi": "cggm_pipeline.data.sources.mosi:MOSI",
        "mosei": "cggm_pipeline.data.sources.mosei:MOSEI",
        "ch_sims": "cggm_pipeline.data.sources.ch_sims:CHSIMS",
        "iemocap": "cggm_pipeline.data.sources.iemocap:IEMOCAP",
        "food101": "cggm_pipeline.data.sources.food101:Food101",
        "brats": "cggm_pipeline.data.sources.brats:BraTS",
        "avdigits": "cggm_pipeline.data.sources.avdigits:AVDigits",
        "mfeat": "cggm_pipeline.data.sources.mfeat:MFeat",
        "basicmotions": "cggm_pipeline.data.sources.basicmotions:BasicMotions",
        "emoji": "cggm_pipeline.data.sources.emoji:Emoji",
    },
}

CLASSIFIERS: Mapping[str, str] = {
    "vector": "cggm_pipeline.classifiers.vector:VectorClassifier",
    "tokens": "cggm_pipeline.classifiers.tokens:TokenClassifier",
    "map": "cggm_pipeline.classifiers.map:MapClassifier",
}
"""Layout of a modality's features -> the classifier that reads them; "map": pyramids, where z is a map."""

TWINS: Mapping[str, str] = {
    "mosi": "cggm_pipeline.data.twins.mosi:write",
    "mosei": "cggm_pipeline.data.twins.mosei:write",
    "ch_sims": "cggm_pipeline.data.twins.ch_sims:write",
    "iemocap": "cggm_pipeline.data.twins.iemocap:write",
    "food101": "cggm_pipeline.data.twins.food101:write",
    "brats": "cggm_pipeline.data.twins.brats:write",
}
"""Kind of a source -> what writes made-up raw files in its publisher's layout."""


STAGES: Mapping[str, str] = {
    "prepare": "cggm_pipeline.build.data",
    "features": "cggm_pipeline.build.features",
    "shift": "cggm_pipeline.build.shift",
}
"""Stage of a source -> the module with its `prepare` and its `check_raw`."""


def implementation(place: str) -> Any:
    """The object at "module:Name". Only for places from this file."""
    module, name = place.split(":")
    return getattr(import_module(module), name)
