"""Plain scalars by the YAML 1.2 core schema: `1e-3` is a float, `no` is a string, `0o17` is fifteen.

PyYAML's own resolvers are YAML 1.1 (`1e-3` a string, `no` false); DVC reads YAML 1.2. Both must see the same document.
"""

from __future__ import annotations

import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")
_DIGITS = 40
"""An integer of more digits is read as a float: no field holds one, and `int` of a million digits takes seconds."""


@lru_cache(maxsize=4096)
def value_of(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _DIGITS else float(text)
    if _BASED.fullmatch(text) and len(text) <= _DIGITS:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NAN.fullmatch(text):
        return float("nan")
    if infinite := _INFINITE.fullmatch(text):
        return float(infinite[1] + "inf")
    return text
