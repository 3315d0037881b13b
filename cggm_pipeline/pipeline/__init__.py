"""pipeline: specs to typed stage records to dvc.yaml. Torch-free, and DVC itself is never imported.

`generate` says what every generated file should be, `compile_project` writes them, `run_key` is the identity of a run.
"""
