"""Prepared data as batches for torch: `Resident` for what fits on the device, `Streamed` for what does not."""

from cggm_pipeline.data.batch import Batch, Batches
from cggm_pipeline.data.resident import Resident
from cggm_pipeline.data.sampling import derived_seed, order, spans
from cggm_pipeline.data.streamed import Streamed

__all__ = ["Batch", "Batches", "Resident", "Streamed", "derived_seed", "order", "spans"]
