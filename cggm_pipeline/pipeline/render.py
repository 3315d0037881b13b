"""Stage records to the text of a dvc.yaml. The template only prints; the text is parsed again and must say the same."""

from __future__ import annotations

from functools import lru_cache

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from cggm_pipeline.errors import BuildError
from cggm_pipeline.pipeline.records import Pipeline
from cggm_pipeline.spec.stamp import stamp

ESCAPED = "\\${"
"""How DVC writes a literal `${`, which would otherwise begin an expression of its own templating."""


def render(pipeline: Pipeline) -> str:
    """The text of a pipeline's dvc.yaml. BuildError if, read back, it were not the records."""
    environment = Environment(
        loader=PackageLoader("cggm_pipeline.pipeline", ""),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML, not HTML: every value goes through `q`
        keep_trailing_newline=True,
    )
    environment.filters["q"] = quoted
    text = environment.get_template("dvc.yaml.j2").render(
        stages=pipeline.stages, plots=pipeline.plots, up=pipeline.up, wdir=pipeline.up.rstrip("/")
    )
    text = stamp(text.rstrip("\n") + "\n", ", ".join(pipeline.sources))
    if parse(text) != pipeline.record():
        raise BuildError(
            f"{pipeline.path}: the generated text does not say what was meant; please report this as a bug"
        )
    return text


@lru_cache(maxsize=65536)  # the same few hundred paths stand in every stage
def quoted(value: str) -> str:
    """A YAML double-quoted scalar on one line, in which DVC finds nothing to interpolate."""
    return yaml.dump(value.replace("${", ESCAPED), default_style='"', width=float("inf"), allow_unicode=True).strip()


def parse(text: str) -> object:
    """What DVC will understand: the YAML, with its escapes undone."""
    return _unescaped(yaml.load(text, Loader=yaml.CSafeLoader))


def _unescaped(value: object) -> object:
    if isinstance(value, dict):
        return {_unescaped(key): _unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unescaped(item) for item in value]
    return value.replace(ESCAPED, "${") if isinstance(value, str) else value
