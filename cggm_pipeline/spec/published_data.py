"""Sources of published data sets, in the files that their owners ship. The readers are `cggm_pipeline.data.sources`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cggm_pipeline.spec.base import Count, Positive, RelativePath
from cggm_pipeline.spec.source import SourceSpec

Share = Annotated[float, Field(ge=0, lt=1)]


class MOSI(SourceSpec):
    """CMU-MOSI: opinion videos with a sentiment in [-3, 3], as audio, text and vision sequences.

    `path`: the pickle of MulT (aligned or not) or of MMSA; which one is read from its keys.
    """

    source: ClassVar[str] = (
        "Zadeh et al. 2016 (arXiv 1606.06259); features of Tsai et al. 2019 (MulT) or Yu et al. (MMSA)"
    )
    title: ClassVar[str] = "CMU-MOSI, aligned features of MulT (1,284 / 229 / 686 utterances), or those of MMSA"
    home: ClassVar[str] = (
        "https://github.com/yaohungt/Multimodal-Transformer (MulT), https://github.com/thuiar/MMSA (MMSA)"
    )
    licence: ClassVar[str] = "research; the videos belong to their makers"
    names: ClassVar[tuple[str, ...] | None] = ("audio", "text", "vision")

    kind: Literal["mosi"]
    path: RelativePath = Field("data/raw/mosi/mosi_data.pkl", description="the pickle, from the project's folder")

    def splits(self) -> bool:
        return True


class MOSEI(SourceSpec):
    """CMU-MOSEI: opinion videos with a sentiment in [-3, 3], as audio, text and vision sequences. As `mosi`."""

    source: ClassVar[str] = "Zadeh et al. 2018 (ACL); features of Tsai et al. 2019 (MulT) or Yu et al. (MMSA)"
    title: ClassVar[str] = (
        "CMU-MOSEI, aligned features of MulT (about 16,300 / 1,900 / 4,700 utterances), or those of MMSA"
    )
    home: ClassVar[str] = (
        "https://github.com/yaohungt/Multimodal-Transformer (MulT), https://github.com/thuiar/MMSA (MMSA)"
    )
    licence: ClassVar[str] = "research; the videos belong to their makers"
    names: ClassVar[tuple[str, ...] | None] = ("audio", "text", "vision")

    kind: Literal["mosei"]
    path: RelativePath = Field(
        "data/raw/mosei/mosei_senti_data.pkl", description="the pickle, from the project's folder"
    )

    def splits(self) -> bool:
        return True


class CHSIMS(SourceSpec):
    """CH-SIMS: Chinese video clips with a sentiment in [-1, 1], in the pickle of MMSA.

    `label_scale` multiplies the labels: 3 gives them the range of CMU-MOSI and CMU-MOSEI, as CASP's code does.
    """

    source: ClassVar[str] = "Yu et al. 2020 (ACL), features of MMSA"
    title: ClassVar[str] = "CH-SIMS, unaligned features of MMSA (1,368 / 456 / 457 clips)"
    home: ClassVar[str] = "https://github.com/thuiar/MMSA"
    licence: ClassVar[str] = "research; the films and series belong to their makers"
    names: ClassVar[tuple[str, ...] | None] = ("audio", "text", "vision")

    kind: Literal["ch_sims"]
    path: RelativePath = Field("data/raw/ch-sims/unaligned_39.pkl", description="the pickle, from the project's folder")
    label_scale: Positive = Field(1.0, description="what the labels are multiplied by")

    def splits(self) -> bool:
        return True


class IEMOCAP(SourceSpec):
    """IEMOCAP: four emotions, in the features and folds of MMIN (comparE audio, denseface video, BERT text).

    Sequences lose the zero steps that pad them at their end, and what is longer than the given number of steps is cut.
    """

    source: ClassVar[str] = "Busso et al. 2008; features and folds of Zhao et al. 2021 (MMIN)"
    title: ClassVar[str] = "IEMOCAP, four emotions, features and folds of MMIN"
    home: ClassVar[str] = (
        "https://sail.usc.edu/iemocap (the data), https://github.com/AIM3-RUC/MMIN (features and folds)"
    )
    licence: ClassVar[str] = "research, after signing the release form of USC"
    names: ClassVar[tuple[str, ...] | None] = ("audio", "text", "video")

    kind: Literal["iemocap"]
    path: RelativePath = Field("data/raw/iemocap", description="the folder with A/, V/, L/ and target/")
    fold: Annotated[int, Field(ge=1, le=10)] = Field(1, description="which of the cross-validation folds")
    normalise: Literal["training", "utterance"] | None = Field(
        "training", description="z-score of the audio over the training split, over each utterance, or not at all"
    )
    audio_steps: Count | None = Field(350, description="longest audio sequence; null: as long as it is")
    text_steps: Count | None = Field(22, description="longest text sequence; null: as long as it is")
    video_steps: Count | None = Field(50, description="longest video sequence; null: as long as it is")

    def splits(self) -> bool:
        return True

    def raw_paths(self) -> tuple[str, ...]:
        features = ("A/comparE.h5", "L/bert_large.h5", "V/denseface.h5", f"target/{self.fold}")
        return tuple(f"{self.path}/{name}" for name in features)


class Food101(SourceSpec):
    """UPMC Food-101: recipes of 101 dishes, an image and a text each, in the json or the UPMC csv layout.

    A sample whose image is missing or cannot be decoded, or whose text is empty, is left out, and said.
    """

    source: ClassVar[str] = "Wang et al. 2015 (ICME workshop); json layout of Kiela et al. 2019 (MMBT)"
    title: ClassVar[str] = "UPMC Food-101, an image and a text for each of about 90,000 recipes of 101 dishes"
    home: ClassVar[str] = "https://visiir.isir.upmc.fr"
    licence: ClassVar[str] = "research; images and texts belong to the web sites that they were found on"
    names: ClassVar[tuple[str, ...] | None] = ("image", "text")

    kind: Literal["food101"]
    path: RelativePath = Field(
        "data/raw/food101", description="the folder with train.json, or with train_titles.csv and images/"
    )
    broken: Share = Field(
        0.0, description="largest share of samples that may be left out; above it, the error lists them"
    )

    def splits(self) -> bool:
        return True


class BraTS(SourceSpec):
    """BraTS: brain tumours in four MRI contrasts, slice by slice, z-scored over the brain of each volume.

    Case folders of NIfTI files (names of 2018 to 2021, or of 2023), or h5 files with `image` and `label`. The brain are
    a volume's voxels that are not 0; those that are stay 0. Label 4 is 3. `last` is included.
    """

    source: ClassVar[str] = "Menze et al. 2015; Bakas et al. 2017; Baid et al. 2021 (arXiv 2107.02314)"
    title: ClassVar[str] = "BraTS 2021, four MRI contrasts and tumour masks of 1,251 patients with glioma"
    home: ClassVar[str] = "https://www.synapse.org/brats2021 or https://doi.org/10.7937/jc8x-9874"
    licence: ClassVar[str] = (
        "the challenge's terms after registration at Synapse; CC BY 4.0 at the Cancer Imaging Archive"
    )

    names: ClassVar[tuple[str, ...] | None] = ("flair", "t1", "t1ce", "t2")
    groups: ClassVar[bool | None] = True
    masks: ClassVar[bool | None] = True

    kind: Literal["brats"]
    path: RelativePath = Field("data/raw/brats", description="the folder with a folder, or an h5 file, per case")
    first: Annotated[int, Field(ge=0)] = Field(0, description="first axial slice")
    last: Annotated[int, Field(ge=0)] | None = Field(None, description="last axial slice; null: of the volume")
    step: Count = Field(1, description="every how many slices one is taken")
    only_tumour: Annotated[tuple[Literal["train", "valid", "test"], ...], Field(strict=False)] = Field(
        ("train",), description="splits that leave out the slices without tumour"
    )
