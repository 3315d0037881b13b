"""Whether encoders, fusion, task and modulation fit one another: layouts, widths, numbers of modalities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from cggm_pipeline.spec.check_adaptation import check_adaptation
from cggm_pipeline.spec.encoders import EncoderSpec, Timm, Transformer
from cggm_pipeline.spec.fusions import Concat, Film, FusionSpec, MulT, SMPDecoder
from cggm_pipeline.spec.fusions import Transformer as TransformerFusion
from cggm_pipeline.spec.in_use import MODALITIES, USE, not_in_use
from cggm_pipeline.spec.layers import Finding
from cggm_pipeline.spec.load import Keys
from cggm_pipeline.spec.modulations import MSLR, ModulationSpec
from cggm_pipeline.spec.nearest import listed
from cggm_pipeline.spec.schedules import Thinned
from cggm_pipeline.spec.sections import Sections


def check_network(sections: Sections) -> Iterator[Finding]:
    """Every misfit between the sections that could be read."""
    encoders = {name: modality.encoder for name, modality in sections.used().items() if modality is not None}
    for name, encoder in encoders.items():
        if isinstance(encoder, Transformer):
            yield from _heads(
                encoder.width, encoder.heads, ("modalities", name, "encoder"), f"the width {encoder.width}"
            )
    if sections.fusion is not None:
        yield from _fusion(sections, sections.fusion, encoders)
    yield from _modulation(sections, encoders)
    yield from _schedule(sections)
    yield from check_adaptation(sections)


def _heads(width: int, heads: int, path: Keys, what: str, also: tuple[Keys, ...] = ()) -> Iterator[Finding]:
    if width % heads:
        divisors = listed(number for number in range(1, min(width, 256) + 1) if width % number == 0)
        yield Finding((*path, "heads"), f"{heads} heads do not divide {what}", divisors, also=((*path, "width"), *also))


def _fusion(sections: Sections, fusion: FusionSpec, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    used, task = sections.used(), sections.task
    for name, encoder in encoders.items():
        if encoder.layout not in fusion.accepts:
            message = (
                f"{fusion.kind} reads {listed(sorted(fusion.accepts))}; the encoder of '{name}' gives {encoder.layout}"
            )
            path = ("modalities", name, "encoder")
            hint = _output(name, encoder, fusion)
            yield Finding(("fusion", "kind"), message, hint=hint, also=((*path, "output"), USE))
    if used and len(used) < fusion.min_modalities:
        message = f"{fusion.kind} needs {fusion.min_modalities} modalities, {_number(len(used))} in use"
        yield Finding(("fusion", "kind"), message, also=(USE, MODALITIES))
    if isinstance(fusion, Concat) and fusion.residual and fusion.width is None:
        message, hint = "the residual block stands behind a projection", "give concat a width"
        yield Finding(("fusion", "residual"), message, "false", hint, also=(("fusion", "width"),))
    if isinstance(fusion, Film) and used and fusion.condition not in used:
        yield not_in_use(("fusion", "condition"), fusion.condition, used)
    if task is not None and fusion.layout not in task.accepts:
        message = f"{task.kind} reads {listed(sorted(task.accepts))}; {fusion.kind} gives {fusion.layout}"
        yield Finding(("task", "kind"), message, also=(("fusion", "kind"),))
    if task is not None and fusion.tasks is not None and task.kind not in fusion.tasks:
        message = f"{fusion.kind} is not defined for {task.kind}"
        yield Finding(("fusion", "kind"), message, listed(sorted(fusion.tasks)), also=(("task", "kind"),))
    if fusion.equal_widths:
        yield from _equal_widths(fusion, encoders)
    if isinstance(fusion, SMPDecoder):
        yield from _decoder(fusion, encoders)


def _output(name: str, encoder: EncoderSpec, fusion: FusionSpec) -> str:
    """Which output of the encoder the fusion reads, or that there is none."""
    field = type(encoder).model_fields.get("output")
    given = {output: encoder.model_copy(update={"output": output}) for output in get_args(field and field.annotation)}
    fitting = [str(output) for output, changed in given.items() if changed.layout in fusion.accepts]
    if not fitting:
        return f"{encoder.kind} has no such output: take another encoder, or another fusion"
    return f"set modalities.{name}.encoder.output: {' or '.join(fitting)}"


def _decoder(fusion: SMPDecoder, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    taken = fusion.options[fusion.decoder]
    for name in ("channels", "width", "dropout"):
        if name not in taken and getattr(fusion, name) is not None:
            message = f"{fusion.decoder} has no option '{name}'"
            yield Finding(("fusion", name), message, listed(taken), "remove it", also=(("fusion", "decoder"),))
    if fusion.decoder == "fpn" and fusion.width is not None and fusion.width % 32:
        yield Finding(("fusion", "width"), "fpn normalises 32 groups of channels", "multiples of 32")
    for name, encoder in encoders.items():
        if isinstance(encoder, Timm) and encoder.layout == "pyramid":
            path = ("modalities", name, "encoder", "kind")
            message = f"smp_decoder reads pyramids that begin with the image; the timm encoder of '{name}' has none"
            hint = f"kind: smp with model: tu-{encoder.model} has"
            yield Finding(path, message, hint=hint, also=(("fusion", "kind"), USE))


def one_width(path: Keys, kind: str, encoders: Mapping[str, EncoderSpec], hint: str = "") -> Iterator[Finding]:
    """A finding where the features of the encoders, as far as their widths are known, are not equally wide."""
    widths = _known_widths(encoders)
    if len(set(widths.values())) > 1:
        shown = listed(f"{name} {width}" for name, width in widths.items())
        yield Finding(path, f"{kind} needs features of one width: {shown}", hint=hint, also=(USE,))


def _known_widths(encoders: Mapping[str, EncoderSpec]) -> dict[str, int]:
    return {name: encoder.features_width for name, encoder in encoders.items() if encoder.features_width is not None}


def _equal_widths(fusion: FusionSpec, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    widths = _known_widths(encoders)
    yield from one_width(("fusion", "kind"), fusion.kind, encoders)
    if len(set(widths.values())) == 1 and isinstance(fusion, TransformerFusion | MulT):
        width = next(iter(widths.values()))
        yield from _heads(width, fusion.heads, ("fusion",), f"the features' width {width}")


def _modulation(sections: Sections, encoders: Mapping[str, EncoderSpec]) -> Iterator[Finding]:
    if sections.modulation is None:
        return
    modulation, used = sections.modulation.effective(), sections.used()
    if sections.task is not None and sections.task.kind not in modulation.tasks:
        message = f"{modulation.kind} is not defined for {sections.task.kind}"
        yield Finding(("modulation", "kind"), message, listed(sorted(modulation.tasks)), also=(("task", "kind"),))
    if used and len(used) < modulation.min_modalities:
        message = (
            f"{modulation.kind} balances {modulation.min_modalities} modalities or more, {_number(len(used))} in use"
        )
        yield Finding(("modulation", "kind"), message, hint="use kind: none", also=(USE, MODALITIES))
    if modulation.max_modalities is not None and len(used) > modulation.max_modalities:
        message = f"{modulation.kind} balances at most {modulation.max_modalities} modalities, {len(used)} are in use"
        yield Finding(("modulation", "kind"), message, hint="select some with use:", also=(USE, MODALITIES))
    yield from _surroundings(sections, modulation)
    if isinstance(sections.modulation, MSLR) and used:
        yield from _rates(sections.modulation, used)
    if modulation.equal_widths():
        yield from one_width(("modulation", "kind"), modulation.kind, encoders)
    if modulation.trains_classifiers and sections.classifiers is not None:
        for name, encoder in encoders.items():
            width = encoder.features_width
            if encoder.layout == "tokens" and width is not None:
                what = f"the width {width} of '{name}', whose classifier has Transformer blocks"
                yield from _heads(width, sections.classifiers.heads, ("classifiers",), what, (("modulation", "kind"),))


def _rates(modulation: MSLR, used: Collection[str]) -> Iterator[Finding]:
    for name in sorted(set(modulation.rates or ()) - set(used)):
        yield not_in_use(("modulation", "rates", name), name, used)


def _surroundings(sections: Sections, modulation: ModulationSpec) -> Iterator[Finding]:
    """What a method asks of the fusion and of the schedule."""
    fusion, schedule, path = sections.fusion, sections.schedule, ("modulation", "kind")
    if fusion is not None and modulation.fusions is not None and fusion.kind not in modulation.fusions:
        message = f"{modulation.kind} does not work with the fusion {fusion.kind}"
        yield Finding(path, message, listed(sorted(modulation.fusions)), also=(("fusion", "kind"),))
    elif fusion is not None and modulation.reads_blocks and not fusion.concatenates():
        message = f"{modulation.kind} reads the head's block of each modality, but z is no concatenation of features"
        hint = "use fusion: {kind: concat} without a width, or {kind: late}"
        yield Finding(path, message, hint=hint, also=(("fusion",),))
    if schedule is not None and modulation.schedule not in (None, schedule.kind):
        message = f"{modulation.kind} needs schedule: {{kind: {modulation.schedule}}}; found {schedule.kind}"
        yield Finding(path, message, hint="set it", also=(("schedule", "kind"),))


def _schedule(sections: Sections) -> Iterator[Finding]:
    schedule, task, used, path = sections.schedule, sections.task, sections.used(), ("schedule", "kind")
    if schedule is None:
        return
    if task is not None and task.kind not in schedule.tasks:
        message = f"{schedule.kind} is not defined for {task.kind}"
        yield Finding(path, message, listed(sorted(schedule.tasks)), also=(("task", "kind"),))
    if used and len(used) < schedule.min_modalities:
        message = f"{schedule.kind} needs {schedule.min_modalities} modalities, {_number(len(used))} in use"
        yield Finding(path, message, hint="use kind: everything", also=(USE, MODALITIES))
    if schedule.max_modalities is not None and len(used) > schedule.max_modalities:
        message = f"{schedule.kind} takes at most {schedule.max_modalities} modalities, {len(used)} are in use"
        yield Finding(path, message, hint="select some with use:", also=(USE, MODALITIES))
    for name, (other, value) in schedule.only.items():
        if getattr(schedule, other) != value and getattr(schedule, name) != type(schedule).model_fields[name].default:
            message = f"{name} is read with {other}: {value} alone"
            yield Finding(("schedule", name), message, hint="remove it", also=(("schedule", other),))
    if isinstance(schedule, Thinned) and used and schedule.modality not in used:
        yield not_in_use(("schedule", "modality"), schedule.modality, used)


def _number(count: int) -> str:
    return "one is" if count == 1 else f"{count} are"
