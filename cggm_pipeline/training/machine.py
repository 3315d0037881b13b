"""The machine's settings during a training: threads, determinism, device and precision; and as they were afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import GradientAccumulationPlugin

from cggm_pipeline.errors import TrainingError
from cggm_pipeline.training.options import Options

ACCELERATE_NAMES = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@contextmanager
def settled(options: Options) -> Iterator[Accelerator]:
    """An Accelerator, with the options' number of threads and, on the CPU, torch's deterministic algorithms."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    accelerator = _accelerator(options)
    torch.set_num_threads(options.threads)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs, and hides nothing
    _deterministic(accelerator.device.type == "cpu")
    try:
        yield accelerator
    finally:
        torch.set_num_threads(threads)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        _deterministic(deterministic)


@contextmanager
def forgotten(accelerator: Accelerator) -> Iterator[None]:
    """What the accelerator prepares inside is not kept by it, and its scale of float16 losses stays as it was."""
    kept, scaler = (len(accelerator._models), len(accelerator._optimizers)), accelerator.scaler
    scale = {} if scaler is None else scaler.state_dict()
    try:
        yield
    finally:
        del accelerator._models[kept[0] :], accelerator._optimizers[kept[1] :]
        if scaler is not None:
            scaler.load_state_dict(scale)


def attention(*, plain: bool) -> AbstractContextManager[None]:
    """Attention by plain operations, which can be differentiated twice, or by whatever kernel is fastest."""
    if not plain:
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel  # what few methods need

    return sdpa_kernel(SDPBackend.MATH)


def _deterministic(mode: bool) -> None:
    """`torch.use_deterministic_algorithms`, without the compiler that it imports (3 s) to tell it as well."""
    torch._C._set_deterministic_algorithms(mode)


def _accelerator(options: Options) -> Accelerator:
    # Accelerate remembers device and precision for the whole process; another seed may want others.
    AcceleratorState._reset_state(reset_partial_state=PartialState(cpu=options.device == "cpu").num_processes == 1)
    accelerator = Accelerator(
        cpu=options.device == "cpu" or None,
        mixed_precision=ACCELERATE_NAMES[options.precision],
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # micro-batches are cut by shares.cut
    )
    if options.precision == "float16" and accelerator.device.type == "cpu":
        raise TrainingError(
            "training.precision: float16 was found, but this training runs on the CPU, where it would silently be "
            "float32. Allowed here: float32, bfloat16; float16 needs a GPU"
        )
    return accelerator


def peak_memory(device: torch.device) -> int:
    """The most bytes held at once: allocated on the GPU, or resident in this process (since its start) on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows, where nothing else of the loop would miss it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def chosen_device(device: str | None) -> torch.device:
    """Where `fit` will train under `Options.device`: this process's GPU if there is one, unless "cpu" was asked for."""
    chosen: torch.device = PartialState(cpu=device == "cpu").device
    if device not in (None, "cpu", chosen.type):
        raise TrainingError(
            f"device: {device!r} was asked for, but this machine offers {chosen.type}; allowed: cpu, {chosen.type}"
        )
    return chosen
