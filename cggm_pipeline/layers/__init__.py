"""layers: torch building blocks that several rooms share: features, attention, dropout. Only the torch half uses it."""
