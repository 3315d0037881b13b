"""encoders: one modality's input to features. One file per kind; built as `Class(shape, *, ...)`."""

from cggm_pipeline.encoders.base import Encoder, Shape

__all__ = ["Encoder", "Shape"]
