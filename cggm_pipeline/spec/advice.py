"""What to do about a wrong value: the nearest allowed one, the number that was meant, a name made of a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from cggm_pipeline.spec.base import SLUG_RULE
from cggm_pipeline.spec.describe import describe, kinds, members, strip
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.scalars import value_of
from cggm_pipeline.spec.text import short


def advice(annotation: Any, value: Any) -> tuple[str, str]:
    """What to do about a wrong value, and the allowed ones where `describe` does not say them."""
    bare = [strip(member)[0] for member in members(annotation)]
    words = [str(word) for member in bare if get_origin(member) is Literal for word in get_args(member)]
    named = kinds(annotation)
    if isinstance(value, str) and value in named:
        return f"write {{kind: {value}}}", ""
    if isinstance(value, str) and words:
        return did_you_mean(value, words)[0], ""
    if isinstance(value, str):
        return _text_advice(value, bare, describe(annotation))
    if isinstance(value, float) and int in bare and value.is_integer():
        return f"write {int(value)}", ""
    return "", ""


def _text_advice(value: str, bare: list[Any], described: str) -> tuple[str, str]:
    number = value_of(value.strip().replace("_", ""))
    if bool in bare and value.lower() in ("yes", "no", "on", "off", "y", "n"):
        return "write true or false", ""
    if not isinstance(number, str | bool | None) and (int in bare or float in bare):
        return f"write {number}, without quotes or underscores", ""
    if "a name" in described:
        return slug_hint(value), SLUG_RULE
    if "a hub id" in described:
        return "write owner/name, or a folder from the project's folder", "no address, no leading /, no .., no spaces"
    if "a path" in described:
        return "write it from the project's folder, with /", "no leading /, no .., nothing that a shell would expand"
    return "", ""


def slug_hint(name: str) -> str:
    """A name that is made of this one."""
    slug = slugified(name)
    return f"for example '{slug}'" if slug and slug != name else ""


def foreign_letter(name: str) -> str:
    """Names the first letter that no key has: some look exactly like a Latin one."""
    odd = next((letter for letter in name if not letter.isascii() and letter.isprintable()), "")
    return f"'{odd}' is {unicodedata.name(odd, f'U+{ord(odd):04X}').lower()}" if odd else ""


def slugified(text: str) -> str:
    """The text as a name: lower case, everything but letters and digits to single hyphens."""
    return "-".join(_words(text.lower()))


def _words(text: str) -> Iterator[str]:
    word = ""
    for character in text + " ":
        if character.isascii() and character.isalnum():
            word += character
        elif word:
            yield word
            word = ""


def count_of(annotation: Any) -> str:
    """How many items a list may have."""
    limits = next((limits for _, limits in map(strip, members(annotation)) if limits), {})
    bare = next((bare for bare, _ in map(strip, members(annotation)) if get_origin(bare) is tuple), None)
    if bare is not None and get_args(bare)[-1] is not Ellipsis:
        return f"exactly {len(get_args(bare))} items"
    least, most = limits.get("min_length"), limits.get("max_length")
    return " and ".join([f"at least {least}"] * bool(least) + [f"at most {most}"] * bool(most))


def quoted(value: object) -> str:
    """The value in quotes, short and printable."""
    return f"'{short(str(value))}'"
