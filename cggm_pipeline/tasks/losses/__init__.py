"""losses: modules `loss(logits, target)` to a scalar mean over the batch, differentiable twice. One file per kind."""
