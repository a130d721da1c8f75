"""Every shipped template renders, and the czar plans it, for every schema that it is written for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.support.planned import plan_of

from skyshard.basics.errors import UserError
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.parameters import Draws, draw
from skyshard.bench.workload.query_template import (
    QueryTemplate,
    parse_header,
    read_template,
    read_templates,
    wanted_columns,
)
from skyshard.bench.workload.schema_names import CatalogSchema, read_schema_file
from skyshard.bench.workload.workload import read_workload
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Table
from skyshard.czar.explain import Explanation
from skyshard.host.shipped_data import data_folder
from skyshard.ingest.sources.mysql_ddl import parse_create_table
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.recipe.sky_tables import table_specs

pytestmark = pytest.mark.timeout(30)  # the first use of a Felis schema reads thousands of columns
FOLDER = data_folder("queries", "sql")
SCHEMAS = data_folder("queries", "schemas")
KPM = Path(__file__).resolve().parents[5] / "shared" / "data" / "kpm"
CHUNKS = (324, 325, 361, 362)


def written_for() -> list[tuple[str, str]]:
    """(template, schema) for every schema that a shipped template is written for."""
    found = []
    for path in sorted(FOLDER.glob("*/*.sql")):
        header = parse_header(path.read_text(), path)
        assert header.schemas, f"{path} is written for no schema"
        found += [(f"{path.parent.name}/{path.stem}", schema) for schema in header.schemas]
    return found


def child(key: str, position: tuple[str, str] | None = None, director: str = "Object") -> TableLayout:
    return TableLayout(role=Role.DEPENDENT, director=director, key=key, position=position)


def director(key: str, ra: str, decl: str) -> TableLayout:
    return TableLayout(role=Role.DIRECTOR, key=key, position=(ra, decl))


def kpm_tables() -> list[tuple[Table, TableLayout]]:
    layouts = {
        "Object": director("deepSourceId", "ra", "decl"),
        "Source": child("objectId", ("cluster_coord_ra", "cluster_coord_decl")),
        "ForcedSource": child("deepSourceId"),
    }
    return [(parse_create_table((KPM / f"{n}.sql").read_text(), n), layout) for n, layout in layouts.items()]


def mapped_tables(name: str) -> list[tuple[Table, TableLayout]]:
    """A Felis schema's tables with the roles of the shipped ingest mapping."""
    mapping = yaml.safe_load((data_folder("ingest", "mappings") / f"{name}.yaml").read_text())["tables"]
    tables = {one.table.name: one.table for one in read_schema(name)}
    return [
        (tables[n], TableLayout(role=m["role"], key=m.get("key", ""), director=m.get("director", ""),
                                position=m.get("position")))
        for n, m in mapping.items() if m["role"] != "regular"
    ]  # fmt: skip


class OneCatalog:
    """A published catalog of four chunks; the director index knows every key."""

    def __init__(self, tables: Sequence[tuple[Table, TableLayout]]) -> None:
        entries = ChunkEntries.of({chunk: ChunkEntry(100, 7, ("node1",)) for chunk in CHUNKS})
        made = {
            t.name: CatalogTable(t.with_chunk_columns(), layout, 400, entries if layout.role.is_chunked else NO_CHUNKS)
            for t, layout in tables
        }
        layout = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
        self._catalog = Catalog("sky", layout, made, ("node1",))

    def databases(self) -> list[str]:
        return ["sky"]

    def catalog(self, database: str) -> Catalog:
        return self._catalog

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return dict.fromkeys(keys, frozenset({325}))

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return set(CHUNKS)


@lru_cache(maxsize=4)
def catalog(schema: str) -> OneCatalog:
    if schema == "synth":
        return OneCatalog([(spec.table, spec.layout) for spec in table_specs(read_recipe("tiny")).values()])
    if schema == "kpm" and not KPM.is_dir():
        pytest.skip("the KPM table definitions are not here")
    return OneCatalog(kpm_tables() if schema == "kpm" else mapped_tables(schema))


@cache
def schema_of(name: str) -> CatalogSchema:
    return read_schema_file(SCHEMAS, name)


@cache
def template_of(key: str, schema: str) -> QueryTemplate:
    return read_template(FOLDER, key, schema_of(schema))


def rendered(key: str, schema: str, seed: int = 1) -> str:
    template = template_of(key, schema)
    profile = DataProfile.example(wanted_columns([template]))
    return template.render(draw(template.header.parameters, Draws.of(profile, np.random.default_rng(seed))))


@pytest.mark.parametrize(("key", "schema"), written_for(), ids=lambda value: value)
def test_every_shipped_template_is_explained_for_every_schema_that_it_claims(key: str, schema: str) -> None:
    """It renders, every name in it exists, and the czar has a plan for it that names its columns."""
    explanation = Explanation.of(plan_of(rendered(key, schema), catalog(schema)))
    assert explanation.columns
    assert 0 < explanation.chunks <= len(CHUNKS) or explanation.kind


@pytest.mark.parametrize(("key", "schema"), written_for(), ids=lambda value: value)
def test_flux_windows_name_columns_that_exist(key: str, schema: str) -> None:
    """A window's table and column are of the catalog."""
    names = schema_of(schema)
    for table, column in wanted_columns([template_of(key, schema)]):
        assert catalog(schema).catalog("sky").tables[names.table(table)].table.find(names.column(table, column))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_schema_has_its_files_name_and_only_columns_that_exist(path: Path) -> None:
    """Every table and column that a schema names is in the catalog that it is of."""
    schema = read_schema_file(SCHEMAS, path.stem)
    assert schema.name == path.stem
    for one in schema.tables.values():
        table = catalog(path.stem).catalog("sky").tables[one.table].table
        assert [name for name in one.columns.values() if table.find(name) is None] == []


@pytest.mark.parametrize("path", sorted(data_folder("queries", "workloads").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_workload_finds_its_templates(path: Path) -> None:
    """All templates of a workload are there and are written for its schema."""
    workload = read_workload(path)
    schema = read_schema_file(SCHEMAS, workload.schema_name)
    found = read_templates(FOLDER, workload.template_keys, schema)
    assert found or workload.is_of_visits


def test_the_whole_kpm_set_is_there_for_each_survey() -> None:
    """Each KPM class has a template for the KPM and DP1 names; HSC lacks forced sources and object ids of sources."""
    classes = {"LV", "FTSObj", "FTSSrc", "FTSFSrc", "joinObjSrc", "joinObjFSrc", "nearN"}
    have = {schema: {key.split("/")[0] for key, s in written_for() if s == schema} for schema in ("kpm", "dp1", "hsc")}
    assert classes <= have["kpm"]
    assert classes <= have["dp1"]
    assert classes - have["hsc"] == {"FTSFSrc", "joinObjSrc", "joinObjFSrc"}


def test_a_schema_that_a_template_does_not_claim_is_refused() -> None:
    """One line with the file, its line, and how to go on."""
    with pytest.raises(UserError, match=r"count_flux.sql', line 4: .*'hsc'.*--leave-out FTSFSrc"):
        read_template(FOLDER, "FTSFSrc/count_flux", read_schema_file(SCHEMAS, "hsc"))


def test_a_name_that_the_schema_lacks_is_refused(tmp_path: Path) -> None:
    """The message has file, line, schema and name."""
    (tmp_path / "LV").mkdir()
    (tmp_path / "LV" / "x.sql").write_text("-- class: LV\n-- description: d\n-- why: w\nSELECT {{ Object.colour }}")
    with pytest.raises(UserError, match=r"x.sql', line 4: schema 'synth' has no Object.colour"):
        read_template(tmp_path, "LV/x")


def test_an_unknown_schema_is_refused_with_the_known_ones() -> None:
    """A schema that is not there gives the names of those that are."""
    with pytest.raises(UserError, match=r"no schema 'dp9'.*dp1, hsc, kpm, synth"):
        read_schema_file(SCHEMAS, "dp9")


def test_the_kpm_constants_are_those_of_the_published_pool() -> None:
    """The rendered statements of the constant queries are found in DMTR-16's list, but for spaces."""
    pool = KPM / "dmtr16_query_pools.txt"
    if not pool.is_file():
        pytest.skip("the published pool is not here")
    known = " ".join(pool.read_text().split()).lower()
    schema = read_schema_file(SCHEMAS, "kpm")
    fixed = ["count_bright_y", "count_redder", "extent_north", "extent_window_z", "extent", "extent_faint_z"]
    for key in [f"FTSObj/{name}" for name in (*fixed, "density")] + ["FTSSrc/count_flux", "FTSFSrc/count_flux"]:
        assert rendered(key, schema.name).lower() in known
