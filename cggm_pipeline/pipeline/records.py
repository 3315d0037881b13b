"""Stages as typed records: what dvc.yaml will say, before anything is printed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Out:
    """A file or folder that a stage writes. `cache`: DVC keeps a copy. `persist`: not removed before the stage runs."""

    path: str
    cache: bool = True
    persist: bool = False

    def record(self) -> str | dict[str, dict[str, bool]]:
        """As dvc.yaml writes it: the path, or the path with what differs from DVC's defaults."""
        options = {} if self.cache else {"cache": False}
        options |= {"persist": True} if self.persist else {}
        return {self.path: options} if options else self.path


@dataclass(frozen=True)
class Stage:
    """One stage. Paths are relative to the project's root; `params` maps a YAML file to the tracked sections."""

    name: str
    command: tuple[str, ...]
    desc: str
    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]]
    outs: tuple[Out, ...]
    metrics: tuple[Out, ...] = ()

    @property
    def cmd(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.command)

    @property
    def products(self) -> tuple[str, ...]:
        """Every path that the stage writes."""
        return tuple(out.path for out in (*self.outs, *self.metrics))

    def record(self) -> dict[str, Any]:
        """The stage as dvc.yaml's own structure, without `wdir`."""
        record: dict[str, Any] = {"desc": self.desc, "cmd": self.cmd, "deps": list(self.deps)}
        record["params"] = [{file: list(sections)} for file, sections in self.params.items()]
        record["outs"] = [out.record() for out in self.outs]
        if self.metrics:
            record["metrics"] = [out.record() for out in self.metrics]
        return record


@dataclass(frozen=True)
class Plot:
    """One plot of `dvc plots show`: columns of CSV files over a shared x. Paths are relative to the project's root."""

    name: str
    title: str
    x: str
    y: Mapping[str, str]
    y_label: str

    def record(self, up: str = "") -> dict[str, Any]:
        """As dvc.yaml writes it; `up` leads from dvc.yaml's folder to the root (plots know no `wdir`)."""
        y = {up + path: column for path, column in self.y.items()}
        return {"title": self.title, "x": self.x, "x_label": self.x, "y": y, "y_label": self.y_label}


@dataclass(frozen=True)
class Pipeline:
    """One dvc.yaml: `folder` is "" for the root's; `sources` are the documents it was generated from."""

    folder: str
    sources: tuple[str, ...]
    stages: tuple[Stage, ...]
    plots: tuple[Plot, ...] = field(default=())

    @property
    def path(self) -> str:
        return f"{self.folder}/dvc.yaml" if self.folder else "dvc.yaml"

    @property
    def up(self) -> str:
        """From the folder of dvc.yaml to the project's root: "", or "../../"."""
        return "../" * len(self.folder.split("/")) if self.folder else ""

    def record(self) -> dict[str, Any]:
        """The whole dvc.yaml as plain data."""
        wdir = {"wdir": self.up.rstrip("/")} if self.folder else {}
        stages = {stage.name: {**wdir, **stage.record()} for stage in self.stages}
        record: dict[str, Any] = {"stages": stages}
        if self.plots:
            record["plots"] = [{plot.name: plot.record(self.up)} for plot in self.plots]
        return record
