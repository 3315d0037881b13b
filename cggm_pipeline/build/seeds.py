"""Seeds side by side, a process each, as many as there are cores (or GPUs); or one after the other in this process."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import BaseContext
from typing import Any

from cggm_pipeline.build.job import Job
from cggm_pipeline.errors import TrainingError
from cggm_pipeline.training.moment import Moment, Progress

TICK = 0.1
PRELOADED = ["cggm_pipeline.build.seed", "torch._dynamo", "sklearn.metrics"]
"""What a training imports: here, at the optimiser's first step (torch's own doing), and at the first epoch's end."""

_queue: Any = None  # in a worker: where its moments go


def workers_for(jobs: int, threads: int) -> int:
    """How many seeds run side by side: CGGM_WORKERS, or else one per `threads` cores, or one per GPU. At least one.

    Under `torchrun` or `accelerate launch` the processes share every seed, so seeds come one after the other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return 1
    asked = os.environ.get("CGGM_WORKERS", "")
    if asked and not (asked.isdecimal() and int(asked)):
        raise TrainingError(f"CGGM_WORKERS is {asked!r}; allowed: a whole number from 1")
    return max(1, min(jobs, int(asked) if asked else _gpus() or len(os.sched_getaffinity(0)) // threads))


def train_seeds(jobs: Sequence[Job], workers: int, progress: Progress) -> None:
    """Train all jobs. The bits of a seed do not depend on the others, nor on the number of workers."""
    if workers == 1:
        from cggm_pipeline.build.seed import train_seed

        for job in jobs:
            train_seed(job, _numbered(job, progress))
        return
    context = _context()
    queue = context.SimpleQueue()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_enter, initargs=(queue,)) as pool:
        waiting: set[Future[None]] = {pool.submit(_work, job) for job in jobs}
        try:
            _follow(waiting, queue, progress)
        except BrokenProcessPool as error:
            raise TrainingError(
                "a training process was ended from outside (most often by the system, for lack of memory). "
                "Run the same command again to go on; CGGM_WORKERS=1 trains one seed at a time"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _context() -> BaseContext:
    """Without a GPU, workers are forked from one process that has imported everything once; CUDA cannot be forked."""
    if _gpus():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _follow(waiting: set[Future[None]], queue: Any, progress: Progress) -> None:
    while waiting:
        done, waiting = wait(waiting, TICK, FIRST_COMPLETED)
        while not queue.empty():
            progress(queue.get())
        for future in done:
            future.result()


def _enter(queue: Any) -> None:
    """A worker's first act: it ends with its parent, however that ends, and at once on Ctrl-C."""
    global _queue
    _queue = queue
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)


def _work(job: Job) -> None:
    from cggm_pipeline.build.seed import train_seed

    train_seed(job, _numbered(job, _tell))


def _numbered(job: Job, progress: Progress) -> Progress:
    """Tells of a job by its number instead of its seed."""
    number = job.number
    return progress if number is None else lambda moment: progress(replace(moment, seed=number))


def _tell(moment: Moment) -> None:
    _queue.put(moment)


def _gpus() -> int:
    """The number of GPUs; torch is asked only where there may be one, because importing it takes seconds."""
    if shutil.which("nvidia-smi") is None:
        return 0
    import torch

    return torch.cuda.device_count()
