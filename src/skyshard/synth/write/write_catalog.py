"""Synthesis to a folder: Parquet per table and chunk, then the manifest.

Order: the folder is taken, chunks are made in any order (each recorded when its files are complete), then regular
tables are written, and the manifest last. A second run makes only what is missing or damaged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.basics.release import VERSION
from skyshard.catalog.synth_manifest import (
    ManifestColumn,
    ManifestFile,
    ManifestGenerator,
    ManifestTable,
    ManifestTruth,
    Shrink,
    SynthManifest,
    TableTruth,
    write_manifest,
)
from skyshard.rowimage.digest import RowDigest
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import TableSpec
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write import output_folder as output
from skyshard.synth.write.catalog_truth import answers, joined, merged, table_truth
from skyshard.synth.write.output_folder import ChunkRecord
from skyshard.synth.write.synth_plan import ChunkTask, SynthPlan, plan

_AHEAD = 8
"""Tasks given to a runtime at a time, which bounds the results that wait in memory."""


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """A chunk that was made now, and the time it took."""

    record: ChunkRecord
    elapsed_s: float


class Submits(Protocol):
    """The part of a runtime that synthesis needs."""

    def submit(self, function: Callable[..., ChunkReport], /, *args: ChunkTask) -> Future[ChunkReport]: ...


def make_chunk(task: ChunkTask) -> ChunkReport:
    """Make one chunk of every table, run by run, write its files, and note that it is finished."""
    started = time.perf_counter()
    sky = open_sky(task.recipe, task.seed)
    truths: dict[str, TableTruth] = {}
    with ExitStack() as stack:
        files: dict[str, output.TableFile] = {}
        for name, rows in sky.chunk_runs(task.chunk, task.share):
            if name not in files:
                files[name] = stack.enter_context(output.TableFile(task.folder, sky.specs[name].table, task.chunk))
            files[name].add(rows)
            truths[name] = joined(truths.get(name), table_truth(sky, task, name, rows))
        done = {name: file.finish() for name, file in files.items()}
    record = ChunkRecord(chunk=task.chunk, files=done, truth=merged(sky.recipe, truths))
    output.write_record(task.folder, record)
    return ChunkReport(record, time.perf_counter() - started)


def write_catalog(
    recipe: Recipe,
    out: Path,
    chunks: Sequence[int] | None = None,
    fraction: float = 1.0,
    seed: int | None = None,
    *,
    shrink: Shrink = "coverage",
    runtime: Submits | None = None,
    watcher: Watcher = unwatched,
) -> SynthManifest:
    """Make a catalog, or what is missing of it.

    Without a runtime the chunks are made one after the other in this process.

    Raises:
        UserError: a wrong fraction or chunk, or a folder that holds something else.
    """
    planned = plan(recipe, out, chunks=chunks, fraction=fraction, seed=seed, shrink=shrink)
    return write_plan(planned, out, runtime, watcher)


def write_plan(
    planned: SynthPlan, out: Path, runtime: Submits | None = None, watcher: Watcher = unwatched
) -> SynthManifest:
    """Carry out a plan; see ``write_catalog``."""
    output.take_folder(out, planned.identity)
    wanted = {task.chunk for task in planned.tasks}
    records = {chunk: record for chunk, record in output.finished(out).items() if chunk in wanted}
    todo = [task for task in planned.tasks if task.chunk not in records]
    started, rows, size = time.perf_counter(), 0, 0
    for report in _run(todo, runtime):
        records[report.record.chunk] = report.record
        rows, size = rows + report.record.rows, size + report.record.bytes
        watcher(Progress("synth", len(records), len(wanted), rows, size, time.perf_counter() - started))
    manifest = _manifest(planned, out, [records[task.chunk] for task in planned.tasks])
    write_manifest(out, manifest)
    output.close(out)
    return manifest


def _run(tasks: Sequence[ChunkTask], runtime: Submits | None) -> Iterator[ChunkReport]:
    """Reports as they come, in any order."""
    if runtime is None:
        yield from map(make_chunk, tasks)
        return
    waiting: set[Future[ChunkReport]] = set()
    for task in tasks:
        waiting.add(runtime.submit(make_chunk, task))
        while len(waiting) >= _AHEAD:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in waiting:
        yield future.result()


def _manifest(planned: SynthPlan, out: Path, records: Sequence[ChunkRecord]) -> SynthManifest:
    """The manifest, from everything known after the regular tables are written."""
    identity = planned.identity
    sky = open_sky(identity.recipe, identity.seed)
    regular = {
        name: output.write_table(out, sky.specs[name].table, None, rows) for name, rows in sky.regular_tables().items()
    }
    tables = {name: _table(spec, name, records, regular) for name, spec in sky.specs.items()}
    rows = {name: table.rows for name, table in tables.items()}
    return SynthManifest(
        version=1,
        recipe=identity.recipe.model_dump(mode="json", by_alias=True),
        seed=identity.seed,
        fraction=identity.fraction,
        shrink=identity.shrink,
        chunks=identity.chunks,
        striping=identity.recipe.striping,
        generator=ManifestGenerator(skyshard=VERSION, numpy=np.__version__, pyarrow=pa.__version__),
        tables=tables,
        truth=ManifestTruth(
            rows=rows,
            chunks={record.chunk: record.truth for record in records},
            answers=answers(sky, rows, [record.truth for record in records]),
        ),
    )


def _table(
    spec: TableSpec, name: str, records: Sequence[ChunkRecord], regular: dict[str, ManifestFile]
) -> ManifestTable:
    files = [regular[name]] if name in regular else [record.files[name] for record in records]
    layout = spec.layout
    return ManifestTable(
        role=layout.role,
        key=layout.key,
        director=layout.director,
        director2=layout.director2,
        key2=layout.key2,
        flag=layout.flag,
        position=layout.position,
        columns=tuple(
            ManifestColumn(name=column.name, type=column.type.text, nullable=column.is_nullable)
            for column in spec.table
        ),
        primary_key=spec.table.primary_key,
        indexes=tuple(tuple(index) for index in layout.indexes),
        rows=sum(file.rows for file in files),
        digest=str(reduce(add, (RowDigest.parse(file.digest) for file in files))),
        files=tuple(files),
    )


__all__ = ["ChunkReport", "ChunkTask", "SynthPlan", "make_chunk", "plan", "write_catalog", "write_plan"]
