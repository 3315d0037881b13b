"""Which dvc.yaml a stage stands in.

The root's holds every table that a fresh clone can compute; a table whose raw data a person must fetch has its own in
pipelines/TABLE/, and a dataset that several of those use has its stage in pipelines/data/. A dataset of features stands
behind the one that it is computed from. A ranking of several tables has its own in pipelines/rankings/NAME/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from cggm_pipeline.pipeline.code import Code
from cggm_pipeline.pipeline.documents import Documents, Table
from cggm_pipeline.pipeline.paths import run_folder
from cggm_pipeline.pipeline.records import Pipeline, Plot, Stage
from cggm_pipeline.pipeline.stages import Stages


def pipelines(documents: Documents, code: Code) -> tuple[Pipeline, ...]:
    """Every dvc.yaml of a project, the root's first."""
    stages = Stages(documents, code)
    free = [table for table in documents.tables if not documents.fetched(table)]
    fetched = [table for table in documents.tables if documents.fetched(table)]
    at_root = dict.fromkeys(_datasets(free, documents))
    users = Counter(name for name in _datasets(fetched, documents) if name not in at_root)
    made = [_pipeline("", free, list(at_root), stages, documents)]
    shared = [name for name, number in users.items() if number > 1]
    if shared:
        made.append(_pipeline("pipelines/data", [], shared, stages, documents))
    for table in fetched:
        own = [name for name in documents.prepared(table) if users[name] == 1]
        made.append(_pipeline(f"pipelines/{table.name}", [table], own, stages, documents))
    for ranking in documents.rankings:
        folder = f"pipelines/rankings/{ranking.name}"
        made.append(Pipeline(folder, (ranking.source,), (stages.rank(ranking),)))
    return tuple(pipeline for pipeline in made if pipeline.stages)


def _datasets(tables: Iterable[Table], documents: Documents) -> list[str]:
    return list(chain.from_iterable(documents.prepared(table) for table in tables))


def _pipeline(folder: str, tables: list[Table], datasets: list[str], stages: Stages, documents: Documents) -> Pipeline:
    of_tables = chain.from_iterable(_table_stages(table, stages) for table in tables)
    plots = chain.from_iterable(_plots(table) for table in tables)
    sources = {table.source for table in tables} | {documents.sources[name] for name in datasets}
    return Pipeline(
        folder=folder,
        sources=tuple(sorted(sources)),
        stages=(*(stages.prepare(name) for name in datasets), *of_tables),
        plots=tuple(plots),
    )


def _table_stages(table: Table, stages: Stages) -> list[Stage]:
    trained = [stages.train(table, row) for row in table.rows]
    adapted = chain.from_iterable(stages.adapt(table, row) for row in table.rows)
    return [*trained, *adapted, stages.evaluate(table), stages.report(table)]


def _plots(table: Table) -> list[Plot]:
    """The learning curves of every row's first seed; the report shows them for all seeds."""
    histories = [
        f"{run_folder(table.name, row.slug)}/train/seed-{row.experiment.seeds[0]}/history.csv" for row in table.rows
    ]
    return [
        Plot(
            name=f"{table.name}: {title}",
            title=f"{table.name}: {title} (first seed)",
            x="epoch",
            y=dict.fromkeys(histories, column),
            y_label=column,
        )
        for column, title in (("train_loss", "training loss"), ("valid_loss", "validation loss"))
    ]
