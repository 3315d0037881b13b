"""What training does to samples as wholes: which of a group it draws, and what moves images and masks together."""

from __future__ import annotations

from collections.abc import Iterator

from cggm_pipeline.spec.dataset import Dataset, Mask
from cggm_pipeline.spec.encoders import EncoderSpec, Shape
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.sections import Sections
from cggm_pipeline.spec.transforms import Crop

DATA: Keys = ("data",)


def check_sampling(sections: Sections, dataset: Dataset) -> Iterator[Finding]:
    """Every misfit of training.per_group, augment, and of transforms beside a mask, with the dataset."""
    training = sections.training
    if training is not None and training.per_group is not None and dataset.source.groups is False:
        message = f"the samples of {dataset.source.kind} have no groups"
        yield Finding(("training", "per_group"), message, "null", hint="take it out", also=(DATA,))
    if isinstance(dataset.target, Mask):
        yield from _moving(sections)
    images = dict(_images(sections, dataset))
    if sections.augment and not images:
        yield Finding(("augment",), "there is no image to augment", hint="take it out", also=(DATA,))
    elif sections.augment:
        yield from _crops(sections, dataset, images)


def _moving(sections: Sections) -> Iterator[Finding]:
    for name, modality in sections.used().items():
        for index, transform in enumerate(modality.transforms if modality is not None else ()):
            if transform.moves:
                message = f"{transform.kind} would move the pixels of '{name}' away from their classes in the mask"
                hint = "use augment, which moves images and mask together"
                yield Finding(("modalities", name, "transforms", index), message, hint=hint, also=(DATA,))


Images = dict[str, tuple[EncoderSpec, Shape]]


def _images(sections: Sections, dataset: Dataset) -> Iterator[tuple[str, tuple[EncoderSpec, Shape]]]:
    """The image modalities in use, with their encoder and the shape that it reads."""
    for name, modality in sections.used().items():
        if modality is None or name not in dataset.modalities:
            continue
        shape: Shape = dataset.modalities[name].shape
        image = len(shape) == 3 and shape[0] is not None
        for transform in modality.transforms:
            shape = transform.shape(shape) if image else shape
        if image and len(shape) == 3:
            yield name, (modality.encoder, shape)


def _crops(sections: Sections, dataset: Dataset, images: Images) -> Iterator[Finding]:
    sizes: dict[str, Shape] = {f"'{name}'": shape[1:] for name, (_, shape) in images.items()}
    if isinstance(dataset.target, Mask):
        sizes["the mask"] = dataset.target.shape
    for index, step in enumerate(sections.augment or ()):
        if not isinstance(step, Crop):
            continue
        where: Keys = ("augment", index)
        if len(set(sizes.values())) > 1:
            found = "; ".join(f"{what} is {_size(size)}" for what, size in sizes.items())
            yield Finding(where, f"crop needs one size: {found}", hint="resize them to one", also=(DATA,))
            return
        what, size = next(iter(sizes.items()))
        if any(have is not None and want > have for want, have in zip(step.size, size, strict=True)):
            yield Finding((*where, "size"), f"{_size(step.size)} does not fit into {what}, {_size(size)}", also=(DATA,))
            return
        sizes = dict.fromkeys(sizes, step.size)
        yield from _fixed(step, images, where)


def _fixed(step: Crop, images: Images, where: Keys) -> Iterator[Finding]:
    """Validation and test see whole images: an encoder for one size cannot read both."""
    for name, (encoder, shape) in images.items():
        if None in encoder.fixed((shape[0], None, None)) and step.size != shape[1:]:
            message = f"{encoder.kind} reads '{name}' in one size; after a crop it has another in training"
            yield Finding(where, message, also=(("modalities", name, "encoder", "kind"),))


def _size(size: Shape) -> str:
    return " x ".join("varying" if length is None else str(length) for length in size)
