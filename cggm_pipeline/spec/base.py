"""The ground of every spec class: strict, frozen, no unknown keys; and the few value types that all documents share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Layout = Literal["vector", "tokens", "pyramid", "map"]
"""Forms of features; "map" is a dense z, (B, C, H, W), that a 1x1 convolution reads."""

SLUG_PATTERN = r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*$"
SLUG_RULE = "lower-case letters and digits, a letter first, single - or _ between; at most 64"

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64)]
"""A name that is safe in a path, a shell and a column header: lower-case letters, digits, single - or _ between."""

_PATH_PART = r"\.{0,2}[^\x00-\x1f\x7f./\\\"'`$;|&<>*?~{}\[\]!#:%][^\x00-\x1f\x7f/\\\"'`$;|&<>*?~{}\[\]!#:%]*"
PATH_PATTERN = f"^{_PATH_PART}(?:/{_PATH_PART})*$"

RelativePath = Annotated[str, Field(pattern=PATH_PATTERN, max_length=500)]
"""A path inside the project: forward slashes, no leading slash, no `..`, nothing that a shell or DVC would expand."""

HUB_PATTERN = r"^[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)*$"

HubName = Annotated[str, Field(max_length=200, pattern=HUB_PATTERN)]
"""A model of the Hugging Face hub (owner/name, or name), or a folder of the project; no `..`, nothing a shell reads."""

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Rate = Annotated[float, Field(ge=0, lt=1)]
"""A dropout or mixing rate in [0, 1)."""

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]


class Spec(BaseModel):
    """One mapping of a document. Unknown keys, coerced types, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Kind(Spec):
    """One member of a union, chosen by its `kind`. Its other fields are its implementation's keyword arguments.

    For `cggm explain`: `source` is where the idea comes from (paper, equation), `equation` a few lines of mathematics,
    `cost` what it adds to a step, `known` where paper and code differ.
    """

    source: ClassVar[str] = ""
    equation: ClassVar[str] = ""
    cost: ClassVar[str] = ""
    known: ClassVar[str] = ""

    kind: str

    def arguments(self) -> dict[str, object]:
        """The keyword arguments of the implementation: every field but `kind`, nested specs left whole."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}
