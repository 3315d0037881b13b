"""adapters: what of a built network learns, and the small parts that learn beside it. Built as `Class(*, ...)`.

An adapter is called once, after the network has its first or its pretrained weights and before its parameters are
grouped. It changes the network in place; whoever trains the network afterwards need not know that there was one.
"""

from cggm_pipeline.adapters.base import Adapter

__all__ = ["Adapter"]
