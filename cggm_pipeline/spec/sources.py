"""Sources: raw data as their owners publish them. The readers are `cggm_pipeline.data.sources`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Kind, RelativePath, Seed, Slug, Spec
from cggm_pipeline.spec.features import Features
from cggm_pipeline.spec.open_data import AVDigits, BasicMotions, Emoji, MFeat
from cggm_pipeline.spec.published_data import CHSIMS, IEMOCAP, MOSEI, MOSI, BraTS, Food101
from cggm_pipeline.spec.shifted import Shifted
from cggm_pipeline.spec.source import SourceSpec


class DigitsTwoView(SourceSpec):
    """The 1,797 handwritten digits that scikit-learn ships, as two views of one digit.

    View `rotated`: the image rotated by an angle uniform in +-`rotation` degrees. View `noisy`: another image of the
    same digit plus uniform noise in [0, `noise`], clipped to [0, 1]. Views are paired inside a split, never across.
    """

    source: ClassVar[str] = "UCI optical digits (Alpaydin & Kaynak 1998); two-view protocol of Wang et al., ICML 2015"

    shapes: ClassVar[dict[str, tuple[int | None, ...]] | None] = {"rotated": (1, 8, 8), "noisy": (1, 8, 8)}
    classes: ClassVar[int | None] = 10

    kind: Literal["digits_two_view"]
    noise: Annotated[float, Field(ge=0)] = Field(
        1.0, description="the largest value added to a pixel of view `noisy`; pixels lie in [0, 1]"
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(
        45.0, description="the largest angle of view `rotated`, in degrees"
    )
    seed: Seed = Field(0, description="of angles, noise and pairs")


class Column(Spec):
    """One modality of a table: which column(s) of the CSV, and what stands in them.

    `type`: "image" and "audio" and "npy" are paths relative to the CSV's folder, "text" is the cell itself, "numbers"
    are one or more numeric columns. An empty cell makes the modality absent in that row.
    """

    columns: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = Field(
        description="headers in the CSV; several for numbers only"
    )
    type: Literal["image", "audio", "text", "numbers", "npy"] = Field(description="what stands in the cells")


class Table(SourceSpec):
    """A CSV of one's own: a row is a sample, columns are modalities, a target, an id and, if there is one, a split."""

    kind: Literal["table"]
    path: RelativePath = Field(description="the CSV, from the project's folder; UTF-8")
    columns: Annotated[dict[Slug, Column], Field(min_length=1)] = Field(
        description="the modalities: which columns make up each"
    )
    target: str = Field(description="header of the target's column")
    id: str | None = Field(None, description="header of a column of unique names; null: rows are numbered")
    split: str | None = Field(None, description="header of a column that says train, valid or test")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(",", description="between two cells")

    def splits(self) -> bool:
        return self.split is not None

    def raw_paths(self) -> tuple[str, ...]:
        """The CSV; and its folder, where cells are paths of files below it (but not the whole project)."""
        folder = PurePosixPath(self.path).parent.as_posix()
        files = any(column.type in ("image", "audio", "npy") for column in self.columns.values())
        return (self.path, folder) if files and folder != "." else (self.path,)


RawSource = Annotated[
    DigitsTwoView | Table | MOSI | MOSEI | CHSIMS | IEMOCAP | Food101 | BraTS | AVDigits | MFeat | BasicMotions | Emoji,
    Field(discriminator="kind"),
]
Source = Annotated[RawSource | Features | Shifted, Field(discriminator="kind")]


class Published(Kind):
    """The split that the source itself carries (a split column, separate files).

    `valid`: where no validation split is published, this share of the published training becomes one, with `seed`.
    """

    kind: Literal["published"]
    valid: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="share of the published training that becomes validation; null: validation is published",
    )
    seed: Seed = Field(0, description="of that share")


class Random(Kind):
    """Shares drawn at random with `seed`; the rest is training. Drawn once, written to specs/splits/, then pinned."""

    kind: Literal["random"]
    valid: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="share of the samples")
    test: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="share of the samples")
    seed: Seed = Field(0, description="of the draw")


class Stratified(Kind):
    """As `random`, class by class."""

    kind: Literal["stratified"]
    valid: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="share of each class")
    test: Annotated[float, Field(gt=0, lt=1)] = Field(0.15, description="share of each class")
    seed: Seed = Field(0, description="of the draw")


Split = Annotated[Published | Random | Stratified, Field(discriminator="kind")]

Size = Count | None
