"""Writes the samples of a release: what it leaves on disk and what its commands print, for later releases to read.

Run once per release, with that release first on the path, and never again::

    PYTHONPATH=<checkout of the release>/src python tests/frozen/make_samples.py tests/frozen/<release>

The work is done in ``/tmp/skyshard-frozen`` so that the paths in the samples say nothing about a machine. What each
file is, and how tests restore it, is said in ``README.md`` beside this script.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import yaml

WORK = Path("/tmp/skyshard-frozen")
CLUSTER = WORK / "cluster"
REGISTRY, INDEX, ORACLE = "skyshard_registry", "skyshard_director_index", "skyshard_oracle"
DATABASES = ("frozen_sky", "frozen_recipe", "frozen_days")
STATEMENT = "SELECT COUNT(*) AS n, SUM(psfFlux) AS total FROM ForcedSource"

RECIPE = """
version: 1
name: frozen-sky
description: Some hundred objects in a few chunks across 0 h; written once by each release.
seed: 11
striping: {stripes: 85, substripes: 12, overlap_deg: 0.05}
flux_unit: uJy
sky:
  nside: 64
  objects_per_sqdeg: 30
  footprint:
    - {ra_deg: [359.0, 1.0], dec_deg: [-1.0, 1.2]}
population: {bright_mag: 15.0, faint_mag: 25.0, slope: 0.35, star_fraction: 0.3, variable_fraction: 0.03}
bands:
  u: {depth_mag: 23.9, visit_share: 7, missing_fraction: 0.15}
  g: {depth_mag: 25.0, visit_share: 10, missing_fraction: 0.04}
  r: {depth_mag: 24.7, visit_share: 22, missing_fraction: 0.01}
  i: {depth_mag: 24.0, visit_share: 22, missing_fraction: 0.01}
  z: {depth_mag: 23.3, visit_share: 20, missing_fraction: 0.03}
  y: {depth_mag: 22.1, visit_share: 19, missing_fraction: 0.08}
visits: {per_object: 3, field_radius_deg: 1.75, first_mjd: 60600, nights: 365}
tables:
  Object:
    band_columns: [psfFlux, psfFluxSigma, apFlux, apFluxSigma, instFlux, shapeIxx]
  Source: {detection_snr: 5}
  ForcedSource: {}
truth:
  - {table: Object, column: g_psfFlux, is: ">", values: [0.05]}
  - {table: ForcedSource, column: psfFlux, is: between, values: [0.1, 0.2]}
histograms:
  - {table: Object, column: g_psfFlux, edges: [0, 1, 2, 5]}
aggregates:
  - {table: ForcedSource, column: psfFlux}
neighbours: {radii_deg: [0.01]}
"""

MAPPING: dict[str, Any] = {
    "version": 1,
    "database": "frozen_days",
    "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.5},
    "tables": {
        "Object": {
            "files": ["Object*.csv"], "role": "director", "key": "id", "position": ["ra", "decl"],
            "declare": [{"name": "id", "type": "bigint"}, {"name": "ra", "type": "double"},
                        {"name": "decl", "type": "double"}, {"name": "name", "type": "varchar(12)"}],
        },
        "Source": {
            "files": ["Source*.csv"], "role": "dependent", "director": "Object", "key": "objectId",
            "position": ["ra", "decl"], "orphans": "keep",
            "declare": [{"name": "id", "type": "bigint"}, {"name": "objectId", "type": "bigint"},
                        {"name": "ra", "type": "double"}, {"name": "decl", "type": "double"},
                        {"name": "flux", "type": "float"}],
        },
        "Filter": {
            "files": ["Filter.csv"], "role": "regular",
            "declare": [{"name": "id", "type": "tinyint"}, {"name": "name", "type": "char(3)"}],
        },
    },
}  # fmt: skip

WORKLOAD = """
version: 1
name: frozen
description: A few queries of three classes.
database: frozen_sky
seed: 3
phases:
  - name: alone
    classes:
      - class: LV
        templates: [object_by_id, small_area]
        arrivals: {loop: open, rate_per_s: 20, clients: 2}
        warm_up: 2
        count: 24
        target_s: 60
      - {class: FTSObj, templates: [density, extent], count: 4}
      - {class: FTSFSrc, templates: [count_flux], count: 2}
thresholds:
  - {class: LV, statistic: p50, at_most: 30}
"""


def skyshard(*arguments: str, code: int = 0) -> str:
    """Run a command of the release; what it printed."""
    command = [sys.executable, "-m", "skyshard.cli.app", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=WORK, check=False)
    if done.returncode != code:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


class Outputs:
    """What commands print with ``--json``, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def keep(self, name: str, *arguments: str, code: int = 0) -> Any:
        text = skyshard(*arguments, "--json", code=code)
        (self._folder / f"{name}.json").write_text(text)
        return json.loads(text)


def write_sources() -> None:
    """The recipe, the mapping with its files, the workload."""
    (WORK / "recipe.yaml").write_text(RECIPE.lstrip())
    days = WORK / "days"
    days.mkdir()
    (days / "mapping.yaml").write_text(yaml.safe_dump(MAPPING, sort_keys=False))
    queries = WORK / "queries"
    (queries / "workloads").mkdir(parents=True)
    (queries / "workloads" / "frozen.yaml").write_text(WORKLOAD.lstrip())


def write_day(number: int) -> None:
    """A day's files: some sources come a day before their objects, one of which is then found at another place."""
    days = WORK / "days"
    keys = range(20 * number, 20 * number + 20)
    objects = [f"{key},{(key * 37) % 360 + 0.25},{(key * 7) % 160 - 80 + 0.5},n{key}" for key in keys]
    (days / f"Object{number}.csv").write_text("\n".join(["id,ra,decl,name", *objects]) + "\n")
    sources = []
    for key in range(20 * number + 5, 20 * number + 25):
        ra, decl = (key * 37 + 20 * (key % 20 == 0)) % 360 + 0.25, (key * 7) % 160 - 80 + 0.5
        sources += [f"{10 * key + i},{key},{ra},{decl},{key / 8 + i}" for i in range(2)]
    (days / f"Source{number}.csv").write_text("\n".join(["id,objectId,ra,decl,flux", *sources]) + "\n")
    (days / "Filter.csv").write_text("id,name\n1,g\n2,r\n")


def fill(kept: Outputs) -> None:
    """Two databases: a synthetic sky with truth and replicas; days with orphans, parts, a merge and an abort."""
    kept.keep("synth", "synth", "recipe.yaml", "--out", "catalog")
    kept.keep("plan", "plan", "catalog", "--nodes", "2")
    skyshard("cluster", "start", "--nodes", "2", "--cluster", str(CLUSTER))
    kept.keep("cluster-status", "cluster", "status", "--cluster", str(CLUSTER))
    kept.keep("ingest", "ingest", "catalog", "--replicas", "2", "--runtime", "inline", "--cluster", str(CLUSTER))
    for day in range(3):
        write_day(day)
        kept.keep(f"ingest-day{day}", "ingest", "days/mapping.yaml", "--runtime", "inline", "--cluster", str(CLUSTER))
        if day == 1:
            kept.keep("compact", "compact", "frozen_days", "--cluster", str(CLUSTER))
    made = ("recipe.yaml", "--fraction", "0.5", "--database", "frozen_recipe", "--runtime", "inline")
    kept.keep("ingest-recipe", "ingest", *made, "--cluster", str(CLUSTER))
    kept.keep("ingest-again", "ingest", "days/mapping.yaml", "--runtime", "inline", "--cluster", str(CLUSTER))
    fail_one()
    kept.keep("mono-load", "mono", "load", "frozen_sky", "--cluster", str(CLUSTER))
    kept.keep("index-rebuild", "index", "rebuild", "frozen_days", "--cluster", str(CLUSTER))
    for name in DATABASES:
        kept.keep(f"verify-{name}", "verify", name, "--cluster", str(CLUSTER))


def fail_one() -> None:
    """An ingest that fails on a bad value, and takes itself back."""
    bad = WORK / "days" / "Source9.csv"
    bad.write_text("id,objectId,ra,decl,flux\n9001,1,37.25,-72.5,bright\n")
    skyshard("ingest", "days/mapping.yaml", "--runtime", "inline", "--cluster", str(CLUSTER), code=2)
    bad.unlink()


def ask(kept: Outputs) -> None:
    """Queries of every kind, and the lists of what is known."""
    where = ("--cluster", str(CLUSTER))
    in_sky = ("--database", "frozen_sky", *where)
    (kept._folder / "query.json").write_text(skyshard("query", STATEMENT, *in_sky, "--format", "json"))
    kept.keep("explain", "explain", STATEMENT, *in_sky)
    kept.keep("explain-analyze", "explain", STATEMENT, "--analyze", *in_sky)
    number = kept.keep("submit", "submit", STATEMENT, *in_sky)["query"]
    (kept._folder / "result.json").write_text(_result(number))
    kept.keep("status", "status", str(number), *where)
    kept.keep("cancel", "cancel", str(number), *where)
    kept.keep("queries", "queries", *where)
    kept.keep("transactions", "transactions", *where)
    kept.keep("contributions", "contributions", *where)
    kept.keep("schema-list", "schema", "list")
    kept.keep("schema-show", "schema", "show", "dp1")
    kept.keep("schema-show-table", "schema", "show", "dp1.Visit")


def _result(number: int) -> str:
    """The rows of a submitted query, waited for."""
    for _ in range(100):
        state = json.loads(skyshard("status", str(number), "--json", "--cluster", str(CLUSTER)))["state"]
        if state == "completed":
            return skyshard("result", str(number), "--format", "json", "--cluster", str(CLUSTER))
    sys.exit(f"query {number} did not end")


def measure(kept: Outputs, templates: Path) -> None:
    """Trials, a comparison, a trend and a sweep."""
    (WORK / "queries" / "sql").symlink_to(templates)
    file = "queries/workloads/frozen.yaml"
    for name in ("trial", "trial2"):
        kept.keep(f"bench-run-{name}", "bench", "run", file, "--out", name, "--cluster", str(CLUSTER))
    kept.keep("bench-compare", "bench", "compare", "trial2", "--against", "trial", "--threshold", "10000")
    kept.keep("bench-trend", "bench", "trend", "trial", "trial2")
    sweep = ("--fractions", "5e-8,1e-7,2e-7", "--nodes", "1", "--leave-out", "LV")
    kept.keep("bench-sweep", "bench", "sweep", file, "--recipe", "mini", *sweep)


def connect(server: str) -> pymysql.Connection[Any]:
    status = json.loads(skyshard("cluster", "status", "--json", "--cluster", str(CLUSTER)))
    (socket,) = [one["socket"] for one in status["servers"] if one["name"] == server]
    return pymysql.connect(unix_socket=socket, user="skyshard_admin", charset="utf8mb4")


def dump(server: str, database: str) -> Iterator[str]:
    """A database as SQL text, one statement a line."""
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE DATABASE `{database}`")
        yield cursor.fetchone()[1] + ";"
        yield f"USE `{database}`;"
        yield "SET foreign_key_checks = 0;"
        cursor.execute(f"SHOW TABLES IN `{database}`")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE `{database}`.`{table}`")
            yield " ".join(cursor.fetchone()[1].split("\n")) + ";"
            cursor.execute(f"SELECT * FROM `{database}`.`{table}`")
            for row in cursor.fetchall():
                yield f"INSERT INTO `{table}` VALUES ({', '.join(map(_literal, row))});"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    return repr(value)


def write_packed(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def pack_files(server: str, databases: Sequence[str]) -> bytes:
    """The table files of some databases of a server, as a tar archive."""
    data = CLUSTER / "servers" / server / "data"
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for database in databases:
            for file in sorted((data / database).iterdir()):
                entry = archive.gettarinfo(file, arcname=f"{database}/{file.name}")
                entry.uid = entry.gid = entry.mtime = 0
                entry.uname = entry.gname = ""
                with file.open("rb") as content:
                    archive.addfile(entry, content)
    return stream.getvalue()


def freeze(out: Path) -> None:
    """Copy what is on disk: files as they are, servers' content packed."""
    shutil.copytree(WORK / "catalog", out / "catalog")
    shutil.copytree(WORK / "days", out / "days")
    shutil.copy(WORK / "recipe.yaml", out)
    shutil.copy(WORK / "queries" / "workloads" / "frozen.yaml", out / "workload.yaml")
    for name in ("trial", "trial2"):
        shutil.copytree(WORK / name, out / name, ignore=shutil.ignore_patterns("report.html"))
    for name in ("comparison", "trend", "sweep"):
        (out / name).mkdir()
        for file in (WORK / name).glob("*.json"):
            shutil.copy(file, out / name)
    shutil.copy(CLUSTER / "cluster.json", out)
    for name in ("truth", "director-keys", "results"):
        shutil.copytree(CLUSTER / name, out / name)
    for server, database in (("czar", REGISTRY), ("mono", ORACLE)):
        write_packed(out / "servers" / f"{server}.{database}.sql.gz", "\n".join(dump(server, database)).encode())
    write_packed(out / "servers" / "czar.tar.gz", pack_files("czar", [INDEX, *DATABASES]))
    for server in ("node1", "node2"):
        write_packed(out / "servers" / f"{server}.tar.gz", pack_files(server, DATABASES))


def copy_shipped(out: Path, shipped: Path) -> None:
    """The files that a user may have copied from the release: a layout, a mapping, a schema, a profile, templates."""
    copies = out / "shipped"
    copies.mkdir()
    for place in ("ingest/layouts/kpm-85-12.yaml", "ingest/mappings/dp1.yaml", "queries/schemas/kpm.yaml",
                  "synth/profiles/kpm-10.yaml", "queries/published/kpm.yaml", "queries/workloads/quick.yaml",
                  "synth/recipes/mini.yaml"):  # fmt: skip
        target = copies / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / place, target)
    shutil.copytree(shipped / "queries" / "sql" / "LV", copies / "queries" / "sql" / "LV")


def main() -> None:
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True)
    import skyshard

    shipped = Path(skyshard.__file__).parents[2]
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    try:
        write_sources()
        kept = Outputs(out / "json")
        fill(kept)
        ask(kept)
        measure(kept, shipped / "queries" / "sql")
        freeze(out)
        copy_shipped(out, shipped)
    finally:
        subprocess.run(
            [sys.executable, "-m", "skyshard.cli.app", "cluster", "destroy", "--cluster", str(CLUSTER)], check=False
        )
        shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    main()
