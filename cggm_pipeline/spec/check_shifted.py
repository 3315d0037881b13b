"""What a shifted dataset must get right: the shapes and the target of the dataset that it shifts."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.check_features import DATA, split_of_upstream
from cggm_pipeline.spec.check_modality import shown
from cggm_pipeline.spec.dataset import Dataset
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.shifted import Shifted


def check_shifted(dataset: Dataset, source: Shifted, upstream: Dataset | None) -> Iterator[Finding]:
    """Every fault of a shifted dataset; `upstream`: the dataset that it shifts, null where that is wrong itself."""
    yield from split_of_upstream(dataset, source.data, "a shifted dataset has")
    for name in source.noise:
        if name not in dataset.modalities:
            hint, allowed = did_you_mean(name, dataset.modalities)
            yield Finding(("source", "noise", name), f"there is no modality '{name}'", allowed, hint, "key")
        elif dataset.modalities[name].dtype == "text":
            yield Finding(
                ("source", "noise", name), f"'{name}' is text, which has no noise", hint="remove it", on="key"
            )
    if upstream is None:
        return
    for name, form in dataset.modalities.items():
        if name not in upstream.modalities:
            hint, allowed = did_you_mean(name, upstream.modalities)
            yield Finding(
                ("modalities", name), f"'{source.data}' has no modality '{name}'", allowed, hint, "key", (DATA,)
            )
        elif form != upstream.modalities[name]:
            theirs = upstream.modalities[name]
            message = f"{shown(form.shape)} {form.dtype}, but '{source.data}' has {shown(theirs.shape)} {theirs.dtype}"
            yield Finding(("modalities", name), message, on="key", also=(DATA,))
    if dataset.target != upstream.target:
        hint = f"copy the target of '{source.data}'"
        yield Finding(("target",), f"it is not that of '{source.data}'", hint=hint, on="key", also=(DATA,))
