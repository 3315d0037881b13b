"""The columns of the prepared form's Arrow files, the same for who writes and who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from cggm_pipeline.data.columns import Column, Fixed
from cggm_pipeline.data.manifest import Form


def schema(
    columns: Mapping[str, Column], gaps: Sequence[str], target: pa.DataType, dataset: str, *, grouped: bool = False
) -> pa.Schema:
    """The columns of every split: id, target, group where there are groups, then the modalities.

    A modality that some sample lacks has a column NAME.present behind it.
    """
    fields = [pa.field("id", pa.utf8(), False), pa.field("target", target, False)]
    if grouped:
        fields.append(pa.field("group", pa.utf8(), False))
    for name, col in columns.items():
        fields.append(pa.field(name, col.type, False))
        if name in gaps:
            fields.append(pa.field(f"{name}.present", pa.bool_(), False))
    return pa.schema(fields, {"cggm.dataset": dataset})


def target_type(width: int, mask: tuple[int, int] | None = None) -> pa.DataType:
    """`width` real values, 0: a class index; or the class of every pixel of a `mask` (H, W)."""
    if mask is not None:
        return mask_column(mask).type
    return pa.list_(pa.float32(), width) if width else pa.int64()


def mask_column(shape: tuple[int, int]) -> Fixed:
    """Masks (H, W) stand on disk as a modality of one shape does."""
    return Fixed(Form(tuple(shape), "uint8"))
