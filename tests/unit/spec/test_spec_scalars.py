"""Plain scalars by the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""

from __future__ import annotations

import math

import pytest

from cggm_pipeline.spec.scalars import value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.e-3", 0.001),
        ("1.0e-3", 0.001),
        ("1E-3", 0.001),
        ("1e+3", 1000.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("+1.5", 1.5),
        ("1.", 1.0),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("+3", 3),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("no", "yes", "on", "off", "y", "1_000", "0b101", "1:30", "2024-01-01", "1e", "e3", ".", "-", "nan", "tRue"),
        *("0o8", "inf", "1,5", "1e-3.5", "0x", "١٢"),
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert value_of(text) == text


def test_nan_and_numbers_too_long_for_an_integer() -> None:
    assert math.isnan(value_of(".nan"))  # type: ignore[arg-type]
    assert value_of("9" * 100) == float("9" * 100)
    assert value_of("9" * 5000) == math.inf
