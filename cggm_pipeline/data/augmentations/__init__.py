"""augmentations: what happens to all images of a sample and to its mask together, in training. One kind per file."""
