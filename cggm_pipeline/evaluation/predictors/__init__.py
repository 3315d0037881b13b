"""predictors: ways to get logits out of a network: one forward pass (`plain`), or one that adapts to what it reads."""

from cggm_pipeline.evaluation.predictors.base import Predictor

__all__ = ["Predictor"]
