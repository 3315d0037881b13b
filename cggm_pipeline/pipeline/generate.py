"""Everything that `cggm compile` writes, as text: resolved specs and the dvc.yaml files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cggm_pipeline import __version__
from cggm_pipeline.pipeline import paths
from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import Composite, Documents, Ranking, Row, Table, read_documents
from cggm_pipeline.pipeline.pipelines import pipelines
from cggm_pipeline.pipeline.render import render
from cggm_pipeline.spec import Project, dump
from cggm_pipeline.spec.resolved import dump_data
from cggm_pipeline.spec.stamp import stamp


def generate(project: Project) -> dict[str, str]:
    """Path from the root to text, for every generated file. Raises SpecError, BuildError."""
    documents = read_documents(project)
    code = Code.of(project.root)
    files = dict(_resolved(documents))
    if not code.own:
        files[paths.VERSION] = stamp(dump_data({"cggm_pipeline": __version__}), "the installed package")
    files |= {pipeline.path: render(pipeline) for pipeline in pipelines(documents, code)}
    return files


def _resolved(documents: Documents) -> Iterator[tuple[str, str]]:
    for name in sorted({name for table in documents.tables for name in documents.prepared(table)}):
        yield paths.dataset_file(name), stamp(dump(documents.datasets[name]), documents.sources[name])
    for ranking in documents.rankings:
        yield paths.ranking_file(ranking.name), stamp(dump_data(ranking_record(ranking, documents)), ranking.source)
    for table in documents.tables:
        yield paths.table_file(table.name), stamp(dump_data(table_record(table)), table.source)
        for row in table.rows:
            yield paths.row_file(table.name, row.slug), stamp(dump(row.experiment), _origin(table, row))


def table_record(table: Table) -> dict[str, Any]:
    """A resolved table: what heads it, and its rows in order, each with its label and the number it cites."""
    rows = {row.slug: _row_record(row, table.composites) for row in table.rows}
    return {
        "title": table.title,
        "metric": table.metric,
        "baseline": table.baseline,
        "seeds": list(table.seeds),
        "data": table.datasets[0],
        "order": list(rows),
        "rows": rows,
    }


def _row_record(row: Row, composites: Sequence[Composite]) -> dict[str, Any]:
    """What the table says of a row; how its values were chosen only where the table has tuning.

    `part_of`, only where there are any: the composites that it is a member of, and the numbers that they cite. They
    stand with the rows because DVC would not notice a section of their own that is gone.
    """
    tuned = {} if row.tuned is None else {"tuned": row.tuned}
    part_of = {one.label: one.published for one in composites if row.slug in one.rows}
    return {"label": row.label, "published": row.published, **tuned, **({"part_of": part_of} if part_of else {})}


def ranking_record(ranking: Ranking, documents: Documents) -> dict[str, Any]:
    """A resolved ranking: per table its task and the metric it is ranked by (null: the task's own), and the rows."""
    tables = {table.name: table for table in documents.tables}
    return {
        "title": ranking.title,
        "tables": {
            name: {"task": tables[name].rows[0].experiment.task.kind, "metric": metric, "title": tables[name].title}
            for name, metric in ranking.metrics.items()
        },
        "rows": ranking.rows,
    }


def _origin(table: Table, row: Row) -> str:
    return f"{table.source} (row {row.slug})"
