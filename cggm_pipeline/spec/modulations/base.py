"""What a balancing method says of itself in a spec, and the classifiers that some of them train."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, Positive, Spec


class Classifiers(Spec):
    """The small per-modality classifiers that several methods train beside the network and drop at inference.

    Vector features get a linear layer (behind one hidden layer where the head's input is not the modality's own
    width), token features `layers` Transformer blocks before it; where z is a map, each modality gets the network's
    decoder for itself. They are a parameter group of their own and are never clipped.
    """

    lr: Positive | None = Field(None, description="their learning rate; null: the optimizer's")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="theirs alone")
    scheduled: bool = Field(True, description="whether training.scheduler moves their rate too; false: it is constant")
    layers: Count = Field(2, description="Transformer blocks over token features")
    heads: Count = Field(5, description="of these blocks; divides the features' width")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="in these blocks")


class ModulationSpec(Kind):
    """A balancing method: what it is defined for, and what it asks of the rest of the experiment.

    `tasks`: the task kinds. `min_modalities`, `max_modalities`: how many it can balance (null: any number).
    `trains_classifiers`: whether it trains one classifier per modality (section `classifiers`). `compares_features`:
    whether it compares the features with what an encoder says, so that no fill may make them longer. `reads_blocks`:
    whether z must be a concatenation of the features, so that the head has a block for each modality. `fusions`: the
    only kinds of fusion it works with (null: every). `schedule`: the only kind of schedule (null: every).

    `off`: the parameters that make it joint training, bit for bit (null: it has none). `per_micro_batch`: why two
    micro-batches are not one batch to it, `per_process`: why two processes are not one (both empty: they are the same);
    contract tests hold a method to all three.

    For `cggm explain` and the table of methods: `family`; `hooks`, the calls of `Modulation` that it overrides;
    `forwards` and `backwards`, passes per step beyond those of joint training; `parameters`, what it adds to train.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression", "sentiment", "segmentation"})
    min_modalities: ClassVar[int] = 2
    max_modalities: ClassVar[int | None] = None
    trains_classifiers: ClassVar[bool] = False
    compares_features: ClassVar[bool] = False
    reads_blocks: ClassVar[bool] = False
    fusions: ClassVar[frozenset[str] | None] = None
    schedule: ClassVar[str | None] = None
    off: ClassVar[dict[str, Any] | None] = None
    per_micro_batch: ClassVar[str] = ""
    per_process: ClassVar[str] = ""

    family: ClassVar[str] = ""
    hooks: ClassVar[tuple[str, ...]] = ()
    forwards: ClassVar[str] = "none"
    backwards: ClassVar[str] = "none"
    parameters: ClassVar[str] = "none"

    def effective(self) -> ModulationSpec:
        """The method that is really run: `none` where the parameters switch everything off."""
        return self

    def equal_widths(self) -> bool:
        """Whether the features of all modalities must be equally wide."""
        return False
