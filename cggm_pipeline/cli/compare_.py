"""`cggm compare`: two runs beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from cggm_pipeline.errors import CggmError


@click.command("compare")
@click.argument("one", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("other", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--all", "everything", is_flag=True, help="Every metric of both splits, not only those of the test split."
)
def command(one: Path, other: Path, everything: bool) -> None:
    """Compare two runs: what differs in their settings, and the second's metrics minus the first's.

    RUN is a row's folder, runs/TABLE/ROW, or one seed of it, runs/TABLE/ROW/train/seed-0. Differences are paired over
    the seeds that both have (and over test samples where their predictions are kept), with 95 % intervals.
    """
    from cggm_pipeline.report.compare import compare

    for path in (one, other):
        _check(path)
    comparison = compare(one, other)
    for banner in comparison.banners:
        click.echo(banner)
    click.echo(f"{comparison.one.name}  →  {comparison.other.name}")
    changes = [(key, _shown(first), _shown(second)) for key, first, second in comparison.changes]
    click.echo("\n".join(_aligned([("setting", "first", "second"), *changes])) if changes else "  same settings")
    tested = any(found.split == "test" for found in comparison.metrics)
    wanted = [found for found in comparison.metrics if everything or not tested or found.split == "test"]
    lines = [_metric(found) for found in wanted]
    head = ("metric", "first", "second", "second − first [95 %]", "over")
    click.echo("\n".join(_aligned([head, *lines])) if lines else "  no metric: neither run was evaluated")


def _check(path: Path) -> None:
    """A folder that is not there is a CggmError with the nearest runs."""
    if path.is_dir():
        return
    from cggm_pipeline.spec.nearest import did_you_mean

    runs = sorted(str(train.parent) for train in Path("runs").glob("**/train") if train.is_dir())
    beside = [run for run in runs if Path(run).name == path.name] if path.parent == Path() else []
    hint, allowed = did_you_mean(str(path), runs)
    hint = f"did you mean '{beside[0]}'?" if beside else hint
    raise CggmError(f"error: there is no run '{path}'{'; ' + hint if hint else ''}\n  (runs: {allowed or 'none here'})")


def _metric(found: object) -> tuple[str, ...]:
    from cggm_pipeline.report.compare import Compared
    from cggm_pipeline.report.texts import difference, summary

    assert isinstance(found, Compared)
    gap = found.difference
    over = "" if gap is None else f"{gap.n} seed{'s' if gap.n != 1 else ''}" + _covers(gap.covers)
    values = (summary(found.one, found.metric), summary(found.other, found.metric), difference(gap, found.metric))
    return (f"{found.split} {found.metric.heading}", *values, over)


def _covers(covers: str) -> str:
    return " and test samples" if "samples" in covers else ""


def _shown(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
