"""cli: the command `cggm`. One file per command, imported only when it is called; errors are printed, never raised."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from cggm_pipeline import __version__

COMMANDS = {
    "init": "Make a small project of your own that runs.",
    "validate": "Check specs; with --build also shapes, timm names and parameter counts.",
    "schema": "Print or write the JSON Schema of the documents.",
    "show": "Print a composed spec, with the file that set each key.",
    "list": "List the kinds of a room.",
    "explain": "Explain a kind: parameters, equation, source.",
    "compile": "Write resolved specs and dvc.yaml files.",
    "plan": "Say what would run, why, and for how long.",
    "twin": "Write made-up raw data, to try a pipeline before the real ones arrive.",
    "prepare": "Read raw data, write the prepared form.",
    "tune": "Try the values of a table's rows, choose on the validation split.",
    "train": "Train one experiment without DVC.",
    "predict": "Apply a trained run to new data.",
    "compare": "Compare two runs.",
    "rank": "Rank methods over tables: average ranks, critical difference.",
    "diagnose": "Say what a run's history warns of, and what to try.",
}


class Commands(click.Group):
    """A group whose commands live in modules of their own, `cggm_pipeline.cli.NAME_`, loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cggm_pipeline.cli.{cmd_name}_")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cggm")
def cggm() -> None:
    """Balanced multimodal learning from one YAML file."""


def main() -> None:
    """Run `cggm`; a CggmError, or what the system refused, is printed on stderr and ends with exit code 1."""
    from cggm_pipeline.errors import CggmError

    try:
        cggm.main(standalone_mode=True)
    except CggmError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        name = str(error.filename or "")
        place = f": {name if len(name) <= 200 else name[:199] + '…'}" if name else ""
        click.echo(f"error: {error.strerror or error}{place}", err=True)
        sys.exit(1)
