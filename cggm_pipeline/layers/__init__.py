"""layers: torch building blocks that several rooms share (attention blocks, readouts). Nobody outside the torch half needs it."""
