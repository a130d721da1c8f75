"""A small Qserv test catalog, written to a folder: positions at the wrap, the poles and chunk borders, NULLs, BLOBs,
a dependent without director, an empty regular table."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

STRIPING: dict[str, Any] = {"num_stripes": 85, "num_sub_stripes": 12, "overlap": 0.01667}
_OBJECT = """CREATE TABLE `Object` (
  `objectId` bigint(20) NOT NULL,
  `ra` double NOT NULL,
  `decl` double NOT NULL,
  `flux` float DEFAULT NULL,
  `name` char(8) DEFAULT NULL,
  `note` varchar(30) DEFAULT NULL,
  `flag` tinyint(4) NOT NULL
) ENGINE=MyISAM DEFAULT CHARSET=latin1;
"""
_SOURCE = """CREATE TABLE `Source` (
  `sourceId` bigint(20) NOT NULL,
  `objectId` bigint(20) DEFAULT NULL,
  `raObject` double NOT NULL,
  `declObject` double NOT NULL,
  `psfFlux` float DEFAULT NULL,
  `cutout` blob
) ENGINE=MyISAM DEFAULT CHARSET=latin1;
"""
_FILTER = "CREATE TABLE `Filter` (`filterId` tinyint(4) NOT NULL, `filterName` char(3) NOT NULL) ENGINE=MyISAM;"
_EMPTY = "CREATE TABLE `Nothing` (`id` int(11) DEFAULT NULL, `d` datetime DEFAULT NULL) ENGINE=MyISAM;"


def positions(objects: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Clumps about a few places, the wrap and a pole among them; as many rows as asked."""
    random = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [359.99, -5.29], [45.0, 88.9], [200.0, -89.95], [150.1, 2.2], [12.3, 30.0]])
    chosen = centres[random.integers(0, len(centres), objects)]
    ra = np.mod(chosen[:, 0] + random.normal(0, 0.05, objects), 360.0)
    dec = np.clip(chosen[:, 1] + random.normal(0, 0.02, objects), -90, 90)
    return np.where(ra >= 360, 0.0, ra), dec


def write_small_catalog(
    folder: Path, *, objects: int = 300, database: str = "small", seed: int = 5, first_key: int = 400_000_000_000_000
) -> Path:
    """Write the catalog; the same arguments give the same bytes."""
    random = np.random.default_rng(seed)
    data = folder / "data"
    for name in ("schema", "ingest", "partition"):
        (data / name).mkdir(parents=True)
    ra, dec = positions(objects, seed)
    keys = first_key + np.arange(objects) * 17
    object_rows = [
        (str(key), repr(float(a)), repr(float(d)), flux, name, note, str(key % 3))
        for key, a, d, flux, name, note in zip(
            keys, ra, dec, _fluxes(random, objects), _names(random, objects), _notes(random, objects), strict=True
        )
    ]
    owners = np.append(random.integers(0, objects, 4 * objects), [0, 0])
    source_rows = [
        (
            str(10 * first_key + i),
            str(keys[o]),
            repr(float(ra[o])),
            repr(float(dec[o])),
            flux,
            "a\\tb\\0\\\\" if i % 7 else "\\N",
        )
        for i, (o, flux) in enumerate(zip(owners, _fluxes(random, len(owners)), strict=True))
    ]
    source_rows[-1] = ("2000000000000000", "77", *source_rows[-1][2:])
    _write(data, "Object", _OBJECT, object_rows, ".tsv.gz")
    _write(data, "Source", _SOURCE, source_rows, ".tsv")
    _write(data, "Filter", _FILTER, [(str(i), name) for i, name in enumerate("ugrizy")], ".tsv")
    _write(data, "Nothing", _EMPTY, [], ".tsv")
    (data / "description.yaml").write_text("tables:\n  directors: [Object]\n  partitioned-tables: [Object, Source]\n")
    (data / "ingest" / "database.json").write_text(json.dumps({"database": database, **STRIPING}))
    director = {"is_partitioned": 1, "director_table": "", "director_key": "objectId"}
    (data / "ingest" / "Object.json").write_text(
        json.dumps({**director, "latitude_key": "decl", "longitude_key": "ra"})
    )
    (data / "ingest" / "Source.json").write_text(
        json.dumps({**director, "director_table": "Object", "latitude_key": "declObject", "longitude_key": "raObject"})
    )
    for name in ("Filter", "Nothing"):
        (data / "ingest" / f"{name}.json").write_text(json.dumps({"is_partitioned": 0}))
    return folder


def _write(data: Path, name: str, schema: str, rows: Sequence[tuple[str, ...]], ending: str) -> None:
    (data / "schema" / f"{name}.schema").write_text(schema)
    content = "".join("\t".join(row) + "\n" for row in rows).encode("latin1")
    path = data / f"{name}{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)


def _fluxes(random: np.random.Generator, count: int) -> list[str]:
    values = random.lognormal(-70, 2, count)
    return ["\\N" if i % 11 == 0 else f"{value:.9g}" for i, value in enumerate(values)]


def _names(random: np.random.Generator, count: int) -> list[str]:
    return ["\\N" if i % 5 == 0 else "" if i % 7 == 0 else f"n{number}" for i, number in
            enumerate(random.integers(0, 999, count))]  # fmt: skip


def _notes(random: np.random.Generator, count: int) -> list[str]:
    return [["tab\\there", "caf\xe9", "back\\\\slash", "\\N", "trailing "][number] for number in
            random.integers(0, 5, count)]  # fmt: skip
