"""Facts about a catalog for a trial's folder, and the answers that the catalog's generator knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.basics.errors import SkyshardError
from skyshard.bench.check.true_answers import TrueAnswer, TrueAnswers
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.trial_manifest import IngestStage
from skyshard.bench.trial.trial_setup import CatalogFacts
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.synth_manifest import read_manifest
from skyshard.ingest.transaction.kept_truth import KnownAnswer
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.transactions.transaction_report import read_report
from skyshard.rowimage.record import RecordLayout
from skyshard.synth.recipe.release_profile import read_profile
from skyshard.testbed import Testbed

PROFILE = "kpm"
"""Profile whose row counts are those of DR1; shares of DR1 refer to it."""
MOST_ROWS, MOST_ROWS_BESIDE = 3_000_000, 600_000
"""Rows of which answers are worked out: where nothing else checks them, and beside an oracle."""
_MOVING = ("partition", "load")
"""Stages of an ingest that all rows pass through."""


def catalog_facts(testbed: Testbed, database: str) -> CatalogFacts:
    """The facts: layout, rows, digest, sky map, and the times of the ingest."""
    catalog = testbed.registry.published.catalog(database)
    return CatalogFacts(describe_catalog(testbed, catalog), sky_map(catalog), ingest_stages(testbed, catalog.database))


def true_answers(testbed: Testbed, database: str, most_rows: int = MOST_ROWS) -> TrueAnswers | None:
    """The answers that the generator of a database knows; None where it was not generated.

    Args:
        most_rows: of the tables of a statement, that are made again to work out its answer.
    """
    known = testbed.known(database, by_chunk=False)
    if known is None:
        return None

    def work_out(sql: str) -> TrueAnswer | None:
        found = known.work_out(sql, most_rows)
        return None if found is None else TrueAnswer(_table(found), found.places)

    return TrueAnswers.of({one.sql: TrueAnswer(_table(one), one.places) for one in known.answers}, work_out)


def _table(known: KnownAnswer) -> pa.Table:
    """Known rows as an answer."""
    columns = [pa.array(values) for values in zip(*known.rows, strict=True)] or [pa.nulls(0)] * known.columns
    return pa.Table.from_arrays(columns, names=[f"c{place}" for place in range(len(columns))])


def describe_catalog(testbed: Testbed, catalog: Catalog) -> dict[str, object]:
    source = next((t["source"] for t in reversed(testbed.registry.transactions.all(catalog.database))), "")
    return {
        "database": catalog.called,
        "source": source,
        "made": how_made(Path(str(source)), catalog),
        "family": catalog.layout.striping.family,
        "engine": catalog.layout.engine,
        "storage": catalog.layout.storage.named,
        "loader": testbed.registry.databases.loaders(catalog.database),
        "replicas": catalog.layout.replicas,
        "nodes": len(catalog.nodes),
        "rows": {name: table.rows for name, table in catalog.tables.items()},
        "row_bytes": row_bytes(catalog),
        "chunks": len({chunk for table in catalog.tables.values() for chunk in table.chunks}),
        "data_digest": testbed.registry.contributions.data_digest(catalog.database),
    }


def row_bytes(catalog: Catalog) -> dict[str, int]:
    """Bytes of a stored row by table, where rows have a fixed length."""
    tables = {name: entry.table for name, entry in catalog.tables.items()}
    return {name: RecordLayout.of(one).length for name, one in tables.items() if RecordLayout.is_packable(one)}


def how_made(source: Path, catalog: Catalog) -> dict[str, object]:
    """How a synthetic catalog was made: recipe, seed, fraction, way of shrinking, and its share of DR1 by objects."""
    try:
        manifest = read_manifest(source)
    except SkyshardError:  # not synthetic, or its folder does not exist any more
        return {}
    if manifest.generator is None:  # made by another program
        return {}
    full = read_profile(PROFILE).tables["Object"].rows
    rows = catalog.tables["Object"].rows if "Object" in catalog.tables else 0
    return {
        "recipe": manifest.recipe["name"],
        "seed": manifest.seed,
        "fraction": manifest.fraction,
        "shrink": str(manifest.shrink),
        "profile": PROFILE,
        "share_of_profile": float(f"{rows / full:.4g}"),
    }


def sky_map(catalog: Catalog) -> SkyMap:
    """Rows, bytes and nodes of each chunk, summed over all chunked tables, without overlap rows."""
    chunker = chunker_of(catalog.layout.striping)
    rows: dict[int, int] = {}
    size: dict[int, int] = {}
    nodes: dict[int, Sequence[str]] = {}
    for table in catalog.tables.values():
        for chunk, entry in table.chunks.items():
            rows[chunk] = rows.get(chunk, 0) + entry.rows
            size[chunk] = size.get(chunk, 0) + entry.bytes // max(1, len(entry.nodes))
            nodes[chunk] = entry.nodes
    numbers = sorted(rows)
    boxes = [chunker.chunk_box(chunk) for chunk in numbers]
    return SkyMap(
        np.array(numbers, np.int32),
        np.array([box.ra_min for box in boxes]),
        np.array([box.ra_max for box in boxes]),
        np.array([box.dec_min for box in boxes]),
        np.array([box.dec_max for box in boxes]),
        np.array([rows[chunk] for chunk in numbers], np.int64),
        [nodes[chunk] for chunk in numbers],
        np.array([size[chunk] for chunk in numbers], np.int64),
    )


def ingest_stages(testbed: Testbed, database: str) -> list[IngestStage]:
    """Stages of the last finished transaction of a database, by its stored name."""
    for transaction in reversed(testbed.registry.transactions.all(database)):
        report = read_report(transaction)
        if report.stages_s:
            rows = sum(table.rows for table in report.tables)
            size = sum(table.bytes for table in report.tables)
            return [
                IngestStage(
                    stage=stage,
                    elapsed_s=seconds,
                    rows=rows if stage in _MOVING else 0,
                    bytes=size if stage in _MOVING else 0,
                )
                for stage, seconds in report.stages_s.items()
            ]
    return []
