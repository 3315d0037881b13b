"""predictors: ways to get logits out of a network. `plain` is one forward pass; test-time adaptation belongs here."""

from cggm_pipeline.evaluation.predictors.base import Predictor

__all__ = ["Predictor"]
