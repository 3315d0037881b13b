"""schedules: which samples an epoch takes, which modalities of each, and which modality's turn it is in a step.

Balancing methods that change the data or the order of training instead of a gradient stand here; `everything` is the
ordinary epoch.
"""

from cggm_pipeline.schedules.base import Draw, Schedule

__all__ = ["Draw", "Schedule"]
