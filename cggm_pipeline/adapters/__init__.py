"""adapters: changes to a built network in place, between building it and grouping its parameters. No member yet.

Low-rank adapters will be the first. An adapter is a function `adapt(network, *, ...) -> int` that returns how many
layers it changed; one that matches nothing is an error, because it would silently be plain training.
"""
