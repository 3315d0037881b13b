"""cggm list: the kinds of a room."""

from __future__ import annotations

import sys

import click

from cggm_pipeline.errors import CggmError


@click.command("list")
@click.argument("room", required=False)
def command(room: str | None) -> None:
    """List the kinds of a ROOM (encoders, fusions, modulations, …), or the rooms.

    On a terminal a table; in a pipe one name per line.
    """
    rows = _rooms() if room is None else _kinds(room)
    if not sys.stdout.isatty():
        click.echo("\n".join(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("room" if room is None else room)
    table.add_column("")
    for name, text in rows.items():
        table.add_row(name, text)
    Console().print(table)


def _rooms() -> dict[str, str]:
    from cggm_pipeline.build.rooms import UNIONS, specs

    return {room: ", ".join(specs(room)) for room in UNIONS}


def _kinds(room: str) -> dict[str, str]:
    from cggm_pipeline.build.rooms import UNIONS, specs
    from cggm_pipeline.spec.nearest import did_you_mean
    from cggm_pipeline.spec.text import short

    if room not in UNIONS:
        hint, allowed = did_you_mean(room, UNIONS)
        raise CggmError(f"error: there is no room '{short(room)}'; {hint + '  ' if hint else ''}(rooms: {allowed})")
    return {kind: (spec.__doc__ or "").strip().split("\n")[0] for kind, spec in specs(room).items()}
