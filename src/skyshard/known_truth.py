"""What a generator knows of a database, as statements and digests: the second oracle beside the mono server.

Made from what ingest kept (`skyshard.ingest.known`): the whole truth of a folder's manifest, or what partition tasks
noted of the rows that they made. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skyshard.ingest.known import Known, KnownAnswer
from skyshard.registry.values import WHOLE
from skyshard.rowimage.digest import RowDigest
from skyshard.synth.generate import SyntheticSky, open_sky
from skyshard.synth.manifest import ChunkTruth, TableTruth
from skyshard.synth.recipe import Recipe
from skyshard.synth.truth import answers, merged


def known_truth(content: Mapping[str, Any]) -> Known:
    """Digests and answers, of the tables that were ingested as a whole."""
    sky = open_sky(Recipe.model_validate(content["recipe"]), content["seed"])
    digests = {
        name: {int(chunk): str(known["digest"]) for chunk, known in chunks.items()}
        for name, chunks in content["tables"].items()
        if all("digest" in known for known in chunks.values())
    }
    rows = {name: sum(RowDigest.parse(one).rows for one in chunks.values()) for name, chunks in digests.items()}
    chunks = _chunks(content, sky.recipe)
    found = [KnownAnswer(answer.sql, (tuple(answer.row),)) for answer in answers(sky, rows, list(chunks.values()))]
    found += _by_chunk(digests)
    if sky.director in rows:
        found += _density(sky, digests[sky.director])
    found += _windows(sky, rows, list(chunks.values()))
    return Known(digests, tuple(found))


def _chunks(content: Mapping[str, Any], recipe: Recipe) -> dict[int, ChunkTruth]:
    """Each chunk's truth: the manifest's, or put together from what tasks noted of its tables."""
    if "chunks" in content:
        return {int(chunk): ChunkTruth.model_validate(truth) for chunk, truth in content["chunks"].items()}
    noted: dict[int, dict[str, TableTruth]] = {}
    for name, chunks in content["tables"].items():
        for chunk, known in chunks.items():
            if int(chunk) != WHOLE and "truth" in known:
                noted.setdefault(int(chunk), {})[name] = TableTruth.model_validate(known["truth"])
    return {chunk: merged(recipe, tables) for chunk, tables in sorted(noted.items())}


def _counts(chunks: Mapping[int, str]) -> list[tuple[int, int]]:
    """(rows, chunk) of the chunks that have rows."""
    counted = [(RowDigest.parse(found).rows, chunk) for chunk, found in chunks.items()]
    return [(rows, chunk) for rows, chunk in counted if rows]


def _by_chunk(digests: Mapping[str, Mapping[int, str]]) -> Iterator[KnownAnswer]:
    for name, chunks in digests.items():
        if WHOLE not in chunks:
            yield KnownAnswer(f"SELECT COUNT(*), chunkId FROM {name} GROUP BY chunkId", tuple(_counts(chunks)))


def _density(sky: SyntheticSky, chunks: Mapping[int, str]) -> Iterator[KnownAnswer]:
    """The KPM statement of that name; its means are not known."""
    ra, dec = sky.position
    sql = f"SELECT COUNT(*) AS n, AVG({ra}), AVG({dec}), chunkId FROM {sky.director} GROUP BY chunkId"
    yield KnownAnswer(sql, tuple(_counts(chunks)), (0, 3))


def _windows(sky: SyntheticSky, rows: Mapping[str, int], chunks: Sequence[ChunkTruth]) -> Iterator[KnownAnswer]:
    """A count for each bin of a declared histogram."""
    for place, rule in enumerate(sky.recipe.histograms):
        if rule.table not in rows:
            continue
        sums = [sum(bins) for bins in zip(*(truth.histograms[place] for truth in chunks), strict=True)]
        for number, (low, high, count) in enumerate(zip(rule.edges, rule.edges[1:], sums, strict=False), 1):
            upper = "<=" if number == len(sums) else "<"
            where = f"{rule.column} >= {low!r} AND {rule.column} {upper} {high!r}"
            yield KnownAnswer(f"SELECT COUNT(*) FROM {rule.table} WHERE {where}", ((count,),))
