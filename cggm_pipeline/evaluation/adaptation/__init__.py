"""adaptation: what a trained network learns from inputs alone, on target data: losses, selection, loops.

Everything here takes inputs and never a batch with targets. The predictors adapt while they predict; `contrast` and
`pseudo` are the two stages of CASP on a whole split.
"""
