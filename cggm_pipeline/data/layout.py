"""The columns of the prepared form's Arrow files, the same for who writes and who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from cggm_pipeline.data.columns import Column


def schema(columns: Mapping[str, Column], gaps: Sequence[str], width: int, dataset: str) -> pa.Schema:
    """The columns of every split: id, target, then the modalities, each with NAME.present if any sample lacks it."""
    fields = [pa.field("id", pa.utf8(), False), pa.field("target", target_type(width), False)]
    for name, col in columns.items():
        fields.append(pa.field(name, col.type, False))
        if name in gaps:
            fields.append(pa.field(f"{name}.present", pa.bool_(), False))
    return pa.schema(fields, {"cggm.dataset": dataset})


def target_type(width: int) -> pa.DataType:
    return pa.list_(pa.float32(), width) if width else pa.int64()
