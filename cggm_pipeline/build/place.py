"""Errors of an implementation, told with the spec key that caused them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cggm_pipeline.errors import BuildError, DataError


@contextmanager
def at(key: str) -> Iterator[None]:
    """A BuildError or ValueError that is raised inside, as a BuildError with the dotted spec key before its message.

    A DataError stays one.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{key}: {error}") from error
    except (BuildError, ValueError) as error:  # modulations know torch alone, and say ValueError
        raise BuildError(f"{key}: {error}") from error
