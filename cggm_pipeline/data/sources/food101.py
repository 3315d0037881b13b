"""UPMC Food-101: a text and an image per recipe, in the json layout of MMBT or the csv layout of UPMC."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cggm_pipeline.data import threads
from cggm_pipeline.data.cells import below
from cggm_pipeline.data.images import Picture
from cggm_pipeline.data.manifest import Form
from cggm_pipeline.data.pictures import examine
from cggm_pipeline.data.problems import SHOWN, Problems
from cggm_pipeline.data.progress import shown
from cggm_pipeline.data.sources._files import FilesBelow
from cggm_pipeline.data.sources._recipes import Recipe, read_recipes
from cggm_pipeline.data.sources.base import Raw, Source, Value, raw_path
from cggm_pipeline.data.statistics import Part
from cggm_pipeline.data.twins.marker import banner
from cggm_pipeline.errors import DataError


class Food101(Source):
    """`path`: the folder. Modalities are `image`, a file as it came (declare [3, null, null] uint8), and `text`.

    The published split is that of the files; the json layout may have a validation split of its own (dev), the csv
    layout has none: `split.valid` cuts one from the training recipes. A recipe whose image is missing or cannot be
    decoded, or whose text is empty, is left out of its split; `broken` is the largest share of recipes that may be.
    """

    def __init__(self, *, path: str = "data/raw/food101", broken: float = 0.0) -> None:
        self.path = path
        self.broken = broken

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("image", "text")

    def read(self, root: Path, forms: Mapping[str, Form], problems: Problems) -> Raw:
        """List the recipes and check their ids and paths; images are opened when it is known which splits they have."""
        folder = Path(os.path.realpath(raw_path(root, self.path)))
        form = forms["image"]
        if form.dtype != "uint8" or len(form.shape) != 3 or form.shape[1:] != (None, None):
            raise DataError(
                f"modalities.image: images are kept as their files are: declare [3, null, null] uint8, not {form}"
            )
        recipes, files = read_recipes(folder, self.path, problems)
        return _Recipes(self, folder, recipes, files, form, problems)


class _Recipes(Raw):
    """Small where there are many: a few hundred bytes a recipe, and paths are made when they are needed."""

    def __init__(
        self,
        source: Food101,
        folder: Path,
        recipes: Sequence[Recipe],
        files: Mapping[str, Path],
        form: Form,
        problems: Problems,
    ) -> None:
        self.source = source
        self.folder = folder
        self.recipes = recipes
        self.form = form
        self.banner = banner(folder)
        self.ids = [recipe.id for recipe in recipes]
        self.labels = [recipe.label for recipe in recipes]
        self.splits: list[str] = [recipe.split for recipe in recipes]
        listed = shown(recipes, "find images", len(recipes))
        images = [recipe.image for recipe in listed if self._found(recipe, problems)]
        self._check_unique(problems)
        self.files = FilesBelow(files, folder, source.path, images)
        self.sizes = np.full(len(recipes), -1, np.int64)  # of images that were decoded
        self.moments = np.zeros((len(recipes), 1 + 2 * (form.shape[0] or 0)))  # their parts in the statistics

    def place(self, index: int) -> str:
        return f"{self.recipes[index].place} ({self.ids[index]})"

    def kept(self, splits: Sequence[str]) -> Sequence[str]:
        """Decode every image once, by several threads. DataError where more than `broken` recipes are not sound."""
        kept, left_out = list(splits), []
        found = threads.in_order(lambda index: self._examined(index, splits[index] == "train"), range(len(kept)))
        for index, result in enumerate(shown(found, "decode images", len(kept))):
            if isinstance(result, str):
                left_out.append(f"{self.place(index)}: {result}")
                kept[index] = ""
            else:
                self._note(index, *result)
        self.left_out = left_out
        if len(left_out) > self.source.broken * len(kept):
            raise DataError(self._too_many(left_out, len(kept)))
        return kept

    def sample(self, index: int, members: np.ndarray) -> Mapping[str, Value]:
        image = self.recipes[index].image
        try:
            data = self._path(self.recipes[index]).read_bytes()
        except OSError as error:
            raise ValueError(f"image: {image} cannot be read ({error.strerror})") from error
        size = int(self.sizes[index])
        if size not in (-1, len(data)):
            raise ValueError(f"image: {image} changed while it was read. Prepare again")
        return {"image": data if size < 0 else Picture.of(data, self._part(index)), "text": self.recipes[index].text()}

    def _path(self, recipe: Recipe) -> Path:
        return Path(below(self.folder, recipe.image, self.source.path))

    def _found(self, recipe: Recipe, problems: Problems) -> bool:
        try:
            return self._path(recipe).is_file()
        except ValueError as error:
            problems.add(f"{recipe.place} ({recipe.id})", f"the image: {error}")
            return False

    def _note(self, index: int, size: int, part: Part | None) -> None:
        self.sizes[index] = size
        if part is not None:
            self.moments[index] = np.concatenate([[part[0]], part[1], part[2]])

    def _part(self, index: int) -> Part | None:
        number, *rest = self.moments[index]
        mean, squares = np.split(np.array(rest), 2)
        return (int(number), mean, squares) if number else None

    def _check_unique(self, problems: Problems) -> None:
        """No id twice, and no image in two splits: what is tested was never trained on."""
        ids: dict[str, int] = {}
        images: dict[str, int] = {}
        for index, recipe in enumerate(self.recipes):
            if ids.setdefault(recipe.id, index) != index:
                problems.add(self.place(index), f"this id stands in {self.recipes[ids[recipe.id]].place} already")
            other = self.recipes[images.setdefault(recipe.image, index)]
            if other.split != recipe.split:
                problems.add(self.place(index), f"its image is that of {other.place}, in split {other.split}")

    def _examined(self, index: int, measure: bool) -> tuple[int, Part | None] | str:
        recipe = self.recipes[index]
        if recipe.blank:
            return "it has no text"
        path = self._path(recipe)
        if not path.is_file():
            return f"the image {recipe.image} does not exist"
        return examine(path, self.form, measure=measure)

    def _too_many(self, left_out: Sequence[str], number: int) -> str:
        more = [f"and {len(left_out) - SHOWN:,} more"] if len(left_out) > SHOWN else []
        head = (
            f"{self.source.path}: error: {len(left_out):,} of {number:,} recipes have no readable image or no text; "
            f"source.broken allows {self.source.broken:g} of them"
        )
        advice = (
            f"Fetch these files again, or set source.broken to at least {len(left_out) / number:.2g}: they are left out"
        )
        return "\n".join([head, *(f"  {line}" for line in left_out[:SHOWN]), *more, f"  {advice}"])
