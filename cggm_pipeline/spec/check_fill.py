"""Whether a fill fits the encoders: layouts, widths, numbers and names of modalities."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.check_network import one_width
from cggm_pipeline.spec.fills import ModalityDropout
from cggm_pipeline.spec.in_use import MODALITIES, USE, not_in_use
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import listed
from cggm_pipeline.spec.sections import Sections


def check_fill(sections: Sections) -> Iterator[Finding]:
    """Every misfit of the fill."""
    fill, used = sections.fill, sections.used()
    if fill is None:
        return
    encoders = {name: modality.encoder for name, modality in used.items() if modality is not None}
    for name, encoder in encoders.items():
        if encoder.layout not in fill.accepts:
            message = (
                f"{fill.kind} fills {listed(sorted(fill.accepts))}; the encoder of '{name}' gives {encoder.layout}"
            )
            output = ("modalities", name, "encoder", "output")
            yield Finding(("fill", "kind"), message, hint="use kind: zeros or kind: mean", also=(output, USE))
    key, most = fill.at_most() or ("kind", len(used))
    if len(used) > most:
        message = f"{fill.kind} takes at most {most} modalities, {len(used)} are in use"
        yield Finding(("fill", key), message, hint="select some with use:", also=(USE, MODALITIES))
    method = None if sections.modulation is None else sections.modulation.effective()
    tokens = any(encoder.layout == "tokens" for encoder in encoders.values())
    if method is not None and method.compares_features and fill.attaches() and tokens:
        message = f"{method.kind} compares features with an encoder's, and {fill.kind} attaches tokens to them"
        yield Finding(("fill", "kind"), message, hint="take a fill without prompts", also=(("modulation", "kind"),))
    field = fill.equal_widths()
    if field is not None:
        yield from one_width(("fill", field), f"{fill.kind} with {field}", encoders)
    if isinstance(fill, ModalityDropout) and isinstance(fill.rate, dict) and used:
        yield from (not_in_use(("fill", "rate", name), name, used) for name in sorted(set(fill.rate) - set(used)))
