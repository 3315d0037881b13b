"""pipeline: specs to typed stage records to dvc.yaml. Torch-free, and DVC itself is never imported.

`generate.generate` says what every generated file should be, `workspace.write` writes them, `plan.plan` says what would
run; `run_key` is the identity of a run, by which a killed training finds its state again.
"""

from cggm_pipeline.pipeline.key import run_key
from cggm_pipeline.pipeline.records import Out, Pipeline, Plot, Stage

__all__ = ["Out", "Pipeline", "Plot", "Stage", "run_key"]
