"""A small folder with ``metadata.json``, chunk and overlap files made by the scalar rules of the test's own chunker."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from skyshard.chunking import Chunker

STRIPES, SUBSTRIPES, OVERLAP = 85, 12, 0.01667
DATABASE = {"version": 12, "database": "handed", "num_stripes": 85, "num_sub_stripes": 12, "overlap": OVERLAP}
NUMBERS = [{"name": "chunkId", "type": "int(11) NOT NULL"}, {"name": "subChunkId", "type": "int(11) NOT NULL"}]
OBJECT = {
    "table": "Object", "is_partitioned": 1, "director_table": "", "director_key": "objectId",
    "latitude_key": "decl", "longitude_key": "ra",
    "schema": [
        {"name": "objectId", "type": "bigint(20) NOT NULL"},
        {"name": "ra", "type": "FLOAT NOT NULL"},
        {"name": "decl", "type": "FLOAT NOT NULL"},
        {"name": "name", "type": " char(8) DEFAULT NULL"},
        *NUMBERS,
    ],
}  # fmt: skip
SOURCE = {
    "table": "Source", "is_partitioned": 1, "director_table": "Object", "director_key": "objectId",
    "schema": [
        {"name": "sourceId", "type": "bigint(20) NOT NULL"},
        {"name": "objectId", "type": "bigint(20) NOT NULL"},
        {"name": "flux", "type": "float"},
        *NUMBERS,
    ],
}  # fmt: skip
FILTER = {
    "table": "Filter", "is_partitioned": 0,
    "schema": [{"name": "filterId", "type": "tinyint NOT NULL"}, {"name": "filterName", "type": "char(3) NOT NULL"}],
}  # fmt: skip
INDEX = {
    "table": "Object", "index": "by_name", "spec": "DEFAULT", "comment": "",
    "columns": [{"column": "name", "length": 4, "ascending": 1}, {"column": "objectId", "length": 0, "ascending": 1}],
}  # fmt: skip


def positions(count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Rows about places where chunks meet, rounded to the digits that the files give."""
    random = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [359.999, -5.29], [150.1, 2.12], [12.3, 29.647]])
    chosen = centres[random.integers(0, len(centres), count)]
    ra = np.mod(np.round(chosen[:, 0] + random.normal(0, 0.03, count), 9), 360.0)
    return np.where(ra >= 360, 0.0, ra), np.round(chosen[:, 1] + random.normal(0, 0.02, count), 9)


def write_metadata_folder(folder: Path, *, rows: int = 200, separator: str = ",", charset: str = "latin1") -> Path:
    """Write the folder; the same arguments give the same bytes."""
    ra, dec = positions(rows)
    chunker = Chunker(STRIPES, SUBSTRIPES, OVERLAP)
    chunks, subs = chunker.locate(ra, dec)
    copies = chunker.overlap_copies(ra, dec)
    lines = [f"{1000 + i}{separator}{ra[i]:.9f}{separator}{dec[i]:.9f}{separator}n{i % 7}" for i in range(rows)]
    own = {i: f"{lines[i]}{separator}{chunks[i]}{separator}{subs[i]}" for i in range(rows)}
    write_chunks(folder / "step1", [(int(chunks[i]), own[i]) for i in range(rows)])
    extra = [
        (int(chunk), f"{lines[row]}{separator}{chunk}{separator}{sub}")
        for row, chunk, sub in zip(copies.row, copies.chunk_ids, copies.sub_chunk_ids, strict=True)
    ]
    write_chunks(folder / "step1", extra, "_overlap")
    sources = [
        (int(chunks[i]), separator.join([str(5000 + i + rows * j), str(1000 + i), "\\N" if j else "1.5",
                                         str(chunks[i]), str(subs[i])]))
        for i in range(rows) for j in range(2)
    ]  # fmt: skip
    write_chunks(folder / "step2", sources)
    (folder / "Filter.tsv").write_text("0\tu\n1\tg\n")
    write_json(folder, "database.json", DATABASE)
    for name, content in (("Object", OBJECT), ("Source", SOURCE), ("Filter", FILTER), ("idx_Object", INDEX)):
        write_json(folder, f"{name}.json", content)
    own_chunks = sorted({int(chunk) for chunk in chunks})
    write_json(folder, "metadata.json", {
        "version": 12, "charset_name": charset, "database": "database.json",
        "formats": {"txt": {"fields_terminated_by": separator}},
        "tables": [
            {"schema": "Source.json", "indexes": [], "data": [{"directory": "step2", "chunks": own_chunks}]},
            {"schema": "Object.json", "indexes": ["idx_Object.json"], "data": [{
                "directory": "step1", "chunks": own_chunks, "overlaps": sorted({chunk for chunk, _ in extra})}]},
            {"schema": "Filter.json", "indexes": [], "data": [{"directory": "", "files": ["Filter.tsv"]}]},
        ],
    })  # fmt: skip
    return folder


def write_chunks(folder: Path, rows: list[tuple[int, str]], suffix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for chunk in {chunk for chunk, _ in rows}:
        text = "".join(f"{line}\n" for at, line in rows if at == chunk)
        (folder / f"chunk_{chunk}{suffix}.txt").write_bytes(text.encode("latin1"))


def write_json(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content))


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
