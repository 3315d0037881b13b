"""training: the one loop (`fit`), and what it stands on: optimisers, schedules, selection, checkpoints, the NaN watch.

Nothing here names a method, a dataset or a task: they are handed in. `fit` takes plain objects and an `Options`, so a
loop can be run from Python without a spec; `cggm_pipeline.build` makes the same objects from one.
"""
