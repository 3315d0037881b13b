"""data: raw files to the prepared form, and the prepared form to batches.

`sources/` reads raw data as their owners publish them, `splits` and `pins` say who is in which split, `writing` and
`prepared` are the form on disk (Arrow files and a manifest), `batches` is the torch view of it, `transforms/` what
happens to a modality on the way, `augmentations/` to all images of a sample and its mask. Only `input`, `batch(es)`,
`sampling`, `fronts`, `resident`, `streamed`, `transforms/` and `augmentations/` need torch.
"""
