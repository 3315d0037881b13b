"""`cggm validate`: every problem of every spec, with its place, as text, JSON or GitHub annotations."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from cggm_pipeline.errors import Problem
from cggm_pipeline.spec.examine import documents, examine
from cggm_pipeline.spec.nearest import did_you_mean
from cggm_pipeline.spec.project import Project


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--build", is_flag=True, help="Also build each network without memory: shapes, timm names, parameters.")
def command(paths: tuple[str, ...], form: str, build: bool) -> None:
    """Check specs: files, or folders with specs; without PATHS everything below specs/.

    The datasets and base files that a spec names are checked with it. Exit code 1 where there are errors, 2 where a
    path does not exist.
    """
    began = time.perf_counter()
    problems: dict[Problem, None] = {}
    files: set[str] = set()
    reports: list[str] = []
    for project, found in _projects(paths):
        for path in found:
            problems.update(dict.fromkeys(examine(path, project)))
        files.update(project.documents())
        if build and not problems:
            reports += _built(found, project)
    ordered = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column))
    printer = {"text": _text, "json": _json, "github": _github}[form]
    printer(ordered, len(files), reports, time.perf_counter() - began)
    raise SystemExit(1 if ordered else 0)


def _projects(paths: tuple[str, ...]) -> list[tuple[Project, list[Path]]]:
    """The files to check, by project: each project's documents are read once."""
    if not paths:
        project = Project.of()
        return [(project, documents(project))]
    projects: dict[Path, tuple[Project, list[Path]]] = {}
    for text in paths:
        path = Path(text)
        if not path.exists():
            raise click.BadParameter(_missing(path), param_hint="PATHS")
        project = Project.of(path)
        project, found = projects.setdefault(project.root, (project, []))
        found += documents(project, path.absolute()) if path.is_dir() else [path]
    return list(projects.values())


def _missing(path: Path) -> str:
    beside = [str(path.parent / other.name) for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    hint, _ = did_you_mean(str(path), beside)
    return f"there is no '{path}'" + (f"; {hint}" if hint else "")


def _built(paths: list[Path], project: Project) -> list[str]:
    from cggm_pipeline.build.check import check_build
    from cggm_pipeline.spec import load_dataset, load_experiment, load_table

    reports = []
    for path in paths:
        kind = project.document(path).data["kind"]
        if kind == "experiment":
            experiments = {project.name("experiments", path): load_experiment(path, project).spec}
        elif kind == "table":
            table = load_table(path, project)
            experiments = {f"{table.name}/{slug}": row.experiment.spec for slug, row in table.rows.items()}
        else:
            continue
        for name, experiment in experiments.items():
            dataset = load_dataset(project.specs / "datasets" / f"{experiment.data}.yaml", project).spec
            reports.append(f"{name}\n{check_build(experiment, dataset)}")
    return reports


def _text(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    for problem in problems:
        click.echo(str(problem))
    for report in reports:
        click.echo(report)
    checked = f"{files:,} file{'s' * (files != 1)} checked"
    faulty = len({problem.file for problem in problems})
    errors = f"{len(problems):,} error{'s' * (len(problems) != 1)}"
    summary = f"{checked}, {faulty:,} with {errors}" if problems else f"{checked}, no errors"
    click.echo(f"{summary:<76}{seconds:7.2f} s")


def _json(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    content = {"files": files, "errors": len(problems), "problems": [asdict(problem) for problem in problems]}
    click.echo(json.dumps(content | ({"builds": reports} if reports else {}), indent=1))


def _github(problems: list[Problem], files: int, reports: list[str], seconds: float) -> None:
    for problem in problems:
        parts = [f"{problem.key}: " * bool(problem.key) + problem.message, problem.hint]
        message = "\n".join([*filter(None, parts), *([f"allowed: {problem.allowed}"] if problem.allowed else [])])
        place = f"file={_property(problem.file)}"
        if problem.line:
            end = problem.column + problem.width
            place += f",line={problem.line},endLine={problem.line},col={problem.column},endColumn={end}"
        click.echo(f"::error {place},title=cggm validate::{_data(message)}")
    _text([], files, reports, seconds) if not problems else None


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
