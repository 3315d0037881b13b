"""The ground of every source: what a dataset document may ask of it before any data are there."""

from __future__ import annotations

from typing import ClassVar

from cggm_pipeline.spec.base import Kind


class SourceSpec(Kind):
    """Raw data. `raw_paths` are the files or folders that must lie in the project before `prepare` can run.

    `names`: the modalities that the raw data have; `shapes`: these and their shapes; `classes`: the number of classes.
    Null: the author of the document says it. For data that a person must fetch: `title` says what they are, `home`
    where they are published, `licence` on which terms. `stage` is the script of stages/ that prepares them.
    `groups`: samples belong together (the slices of a case); `masks`: a sample has a class per pixel, and no other
    target. Null: only the data say it. `twin`: `cggm twin` can make data in its layout.
    """

    names: ClassVar[tuple[str, ...] | None] = None
    shapes: ClassVar[dict[str, tuple[int | None, ...]] | None] = None
    classes: ClassVar[int | None] = None

    title: ClassVar[str] = ""
    home: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    stage: ClassVar[str] = "prepare"
    groups: ClassVar[bool | None] = False
    masks: ClassVar[bool | None] = False
    twin: ClassVar[bool] = True

    def splits(self) -> bool:
        """Whether the raw data carry a split of their own."""
        return False

    def raw_paths(self) -> tuple[str, ...]:
        """Its `path`, where it has one."""
        path = getattr(self, "path", None)
        return () if path is None else (str(path),)

    def files(self) -> tuple[str, ...]:
        """What it may read in the project besides data: weights. A name of a hub counts only where it is a path."""
        return ()

    def guidance(self, dataset: str) -> str:
        """Where published raw data are, on which terms, how they get into the project, and what runs without them.

        Lines that each begin with two spaces; empty for data of one's own.
        """
        path = str(getattr(self, "path", ""))
        if not self.title or not path:
            return ""
        folder = path.rpartition("/")[0]
        if not self.twin:
            return (
                f"  {self.title}. Terms: {self.licence}.\n"
                f"  Published at {self.home}.\n"
                f"  The commands that fetch it: docs/data/{self.kind}.md"
            )
        return (
            f"  {self.title}. Terms: {self.licence}.\n"
            f"  Published at {self.home}. How to ask for it: docs/data/{self.kind}.md\n"
            f"  Then:   mkdir -p {folder} && dvc import-url ADDRESS {path}     (or copy it there and: dvc add {path})\n"
            f"  To try the pipeline without it:   cggm twin {dataset} {self.folder}-twin"
        )

    @property
    def folder(self) -> str:
        """The folder of the raw files, where a `path` says it."""
        folder, _, file = str(getattr(self, "path", "")).rpartition("/")
        return folder if "." in file else f"{folder}/{file}".lstrip("/")

    def upstream(self) -> str | None:
        """The dataset that this one is computed from; null for raw data."""
        return None
