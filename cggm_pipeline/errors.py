"""What can go wrong, as types: every error a user can cause is a `CggmError` and is printed without a traceback."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault in one file, with everything a reader needs to mend it.

    `line` and `column` count from 1 (0: not known). `key` is the dotted path in the document, e.g. `modulation.roh`.
    `message` says what was found; `allowed` what would be right; `hint` what to do ("did you mean 'rho'?").
    `source` is the offending line of the file, `width` the number of characters to underline in it.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    allowed: str = ""
    hint: str = ""
    source: str = ""
    width: int = 1

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = f"{place}: error: {self.key + ': ' if self.key else ''}{self.message}"
        advice = "  ".join(part for part in (self.hint, f"(allowed: {self.allowed})" if self.allowed else "") if part)
        if not self.source:
            return f"{head}\n  {advice}" if advice else head
        number = f"{self.line:5d} | "
        marker = " " * (self.column - 1) + "^" * max(self.width, 1)
        return f"{head}\n{number}{self.source}\n{'':5s} | {marker} {advice}".rstrip()


class CggmError(Exception):
    """Base of all errors a user can cause and mend. `str()` is the whole message, ready to print."""


class SpecError(CggmError):
    """A document is wrong. Carries every problem of every file that was read, not only the first."""

    def __init__(self, problems: list[Problem] | tuple[Problem, ...]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataError(CggmError):
    """Raw or prepared data are missing, damaged or not what the dataset document declares."""


class BuildError(CggmError):
    """A valid spec cannot become a network here: missing weights, an unknown timm model, shapes that do not meet."""


class TrainingError(CggmError):
    """Training had to stop: a value that is not finite, a checkpoint that is damaged, an output that is in use."""


class OutputError(CggmError):
    """A file could not be written: a full disk, a folder that may not be written. What stood there is unchanged."""
