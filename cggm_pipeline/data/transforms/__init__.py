"""transforms: what happens to a batch of one modality between disk and encoder. One kind per file, usable alone."""
