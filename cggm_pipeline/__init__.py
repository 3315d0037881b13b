"""Balanced multimodal learning from one YAML file: specified, run, compared, believed.

The package is a house of rooms (docs/rooms.md). This module imports none of them, so that the torch-free half
(`spec`, `pipeline`, `report`, `cli`) starts in milliseconds; import the room you need:
`from cggm_pipeline.modulations import CGGM, Parts, Step`.
"""

__version__ = "0.1.0"
