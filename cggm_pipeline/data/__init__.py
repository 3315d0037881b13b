"""data: raw files to the prepared form, and the prepared form to batches.

`sources/` reads raw data as their owners publish them, `splits` and `pins` say who is in which split, `writing` and
`prepared` are the form on disk (Arrow files and a manifest), `batches` is the torch view of it, `transforms/` what
happens to a modality on the way. Only `input`, `batch(es)`, `resident`, `streamed` and `transforms/` need torch.
"""
