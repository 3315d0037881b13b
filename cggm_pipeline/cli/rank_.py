"""`cggm rank`: methods ranked over the tables of a ranking document, without DVC."""

from __future__ import annotations

import click


@click.command("rank")
@click.argument("name")
def command(name: str) -> None:
    """Rank the methods that the tables of specs/rankings/NAME.yaml share, from what was evaluated of them.

    Prints average ranks, Friedman's test and the critical difference, and writes runs/rankings/NAME/.
    """
    from cggm_pipeline.report.rank import rank
    from cggm_pipeline.spec import Project
    from cggm_pipeline.spec.ranking import load_ranking

    project = Project.of()
    found = load_ranking(name, project)
    page = rank(found.name, project.root)
    click.echo(f"open {project.file(page)}")
