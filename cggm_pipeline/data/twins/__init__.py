"""twins: small made-up files in exactly the layout of a publisher, to try a pipeline before the real data arrive."""
