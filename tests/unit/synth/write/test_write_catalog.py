"""Synthesis to a folder: plans, determinism, resuming, refusals, and a manifest that says what is there."""

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress
from skyshard.catalog.layout import Role
from skyshard.catalog.synth_manifest import SynthManifest, read_manifest
from skyshard.rowimage.digest import digest
from skyshard.rowimage.record import Field
from skyshard.rowimage.sqltype import parse_type
from skyshard.runtime import open_runtime
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.output_folder import Identity
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import ChunkTask, make_chunk, write_catalog, write_plan

CHUNKS = (7140, 7308, 7310)
"""Three neighbours of the mini sky, on both sides of 0 h."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SynthManifest]:
    """Three chunks of the mini sky."""
    folder = tmp_path_factory.mktemp("synth") / "mini"
    return folder, write_catalog(read_recipe("mini"), folder, CHUNKS)


@pytest.fixture
def copied(made: tuple[Path, SynthManifest], tmp_path: Path) -> Path:
    """A folder with those chunks that a test may change."""
    return shutil.copytree(made[0], tmp_path / "copied")


def rows_of(folder: Path, table: str) -> pa.Table:
    return ds.dataset(folder / table, format="parquet").to_table()


def digests(manifest: SynthManifest) -> dict[str, list[str]]:
    return {name: [file.digest for file in table.files] for name, table in manifest.tables.items()}


# Plans


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.1, float("nan")])
def test_fraction_outside_its_range_is_refused(tmp_path: Path, fraction: float) -> None:
    """A share is above 0 and at most 1."""
    with pytest.raises(UserError, match=f"fraction {fraction:g} is not above 0"):
        plan(read_recipe("mini"), tmp_path, fraction=fraction)


def test_smaller_fraction_is_a_subset(tmp_path: Path) -> None:
    """Every chunk of a fraction belongs to every larger fraction; the whole is all."""
    recipe, before = read_recipe("tiny"), set[int]()
    for fraction in (0.01, 0.1, 0.3, 0.5, 0.9, 1.0):
        chunks = {task.chunk for task in plan(recipe, tmp_path, fraction=fraction).tasks}
        assert before <= chunks
        before = chunks
    assert len(before) == plan(recipe, tmp_path).whole_chunks


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_fraction_is_a_share_of_rows(tmp_path: Path, fraction: float) -> None:
    """A fraction covers that share of the expected rows, to one chunk."""
    planned = plan(read_recipe("tiny"), tmp_path, fraction=fraction)
    share = planned.expected_rows["Object"] / planned.whole_rows["Object"]
    assert fraction - 1e-3 <= share < fraction + 0.05


def test_chunk_not_in_the_recipe_is_refused(tmp_path: Path) -> None:
    """A chunk outside the footprint, or outside the fraction, is named."""
    with pytest.raises(UserError, match="chunk 12 is not in this recipe's footprint"):
        plan(read_recipe("mini"), tmp_path, chunks=[7140, 12])
    left_out = {task.chunk for task in plan(read_recipe("mini"), tmp_path).tasks} - {
        task.chunk for task in plan(read_recipe("mini"), tmp_path, fraction=0.1).tasks
    }
    with pytest.raises(UserError, match="is not in the fraction of this recipe"):
        plan(read_recipe("mini"), tmp_path, chunks=[min(left_out)], fraction=0.1)


def test_ids_that_would_overflow_are_refused(tmp_path: Path) -> None:
    """A density whose children would exceed the serial part of an id is refused before anything is made."""
    recipe = read_recipe("mini")
    dense = recipe.model_copy(
        update={
            "sky": recipe.sky.model_copy(update={"objects_per_sqdeg": 1e8}),
            "visits": recipe.visits.model_copy(update={"per_object": 50.0}),
        }
    )
    with pytest.raises(UserError, match="ids count to"):
        plan(dense, tmp_path)


def test_expected_rows_are_about_right(made: tuple[Path, SynthManifest]) -> None:
    """A plan's numbers of rows are near those made."""
    folder, manifest = made
    for name, expected in plan(read_recipe("mini"), folder, chunks=CHUNKS).expected_rows.items():
        assert manifest.known_truth.rows[name] == pytest.approx(expected, rel=0.4)


# Determinism


def test_rows_do_not_depend_on_order_or_workers(made: tuple[Path, SynthManifest], tmp_path: Path) -> None:
    """One and seven workers and reversed order make equal files."""
    recipe, (_, manifest) = read_recipe("mini"), made
    with open_runtime("inline", cpus=7) as runtime:
        assert write_catalog(recipe, tmp_path / "seven", CHUNKS, runtime=runtime) == manifest
    for chunk in reversed(CHUNKS):
        report = make_chunk(ChunkTask(Identity(recipe, recipe.seed, 1.0, None), chunk, tmp_path / "reversed"))
        files = [file for table in manifest.tables.values() for file in table.files if file.chunk == chunk]
        assert list(report.record.files.values()) == files


def test_chunks_of_a_part_equal_those_of_the_whole(made: tuple[Path, SynthManifest], tmp_path: Path) -> None:
    """A chunk made alone has the digest it has among others."""
    alone = write_catalog(read_recipe("mini"), tmp_path / "alone", CHUNKS[1:2])
    for name in ("Object", "Source", "ForcedSource"):
        assert digests(alone)[name] == digests(made[1])[name][1:2]


def test_seed_given_apart_changes_rows(made: tuple[Path, SynthManifest], tmp_path: Path) -> None:
    """Another seed makes other rows, and is in the manifest."""
    other = write_catalog(read_recipe("mini"), tmp_path / "other", CHUNKS[:1], seed=8)
    assert other.seed == 8
    assert not set(digests(other)["Object"]) & set(digests(made[1])["Object"])


# The folder


def test_manifest_says_what_is_there(made: tuple[Path, SynthManifest]) -> None:
    """Files, rows, bytes, types and digests in the manifest are those of the folder, and nothing else is there."""
    folder, manifest = made
    assert read_manifest(folder) == manifest
    named = {file.path for table in manifest.tables.values() for file in table.files}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == named | {"manifest.json"}
    for table in manifest.tables.values():
        fields = [Field(column.name, parse_type(column.type), column.nullable) for column in table.columns]
        for file in table.files:
            rows = pq.read_table(folder / file.path)
            assert (rows.num_rows, (folder / file.path).stat().st_size) == (file.rows, file.bytes)
            assert rows.schema.names == [column.name for column in table.columns]
            assert rows.schema.types == [parse_type(column.type).arrow for column in table.columns]
            assert str(digest(rows, fields)) == file.digest
        assert table.rows == sum(file.rows for file in table.files) == int(table.digest.split(":")[0])


def test_manifest_says_how_tables_are_spread(made: tuple[Path, SynthManifest]) -> None:
    """Roles, keys and positions are those that ingest needs."""
    tables = made[1].tables
    assert {name: table.role for name, table in tables.items()} == {
        "Object": Role.DIRECTOR,
        "Source": Role.DEPENDENT,
        "ForcedSource": Role.DEPENDENT,
        "Visit": Role.REGULAR,
        "Filter": Role.REGULAR,
    }
    assert (tables["Object"].key, tables["Object"].position) == ("objectId", ("ra", "decl"))
    assert (tables["Source"].key, tables["Source"].position) == ("objectId", ("raObject", "declObject"))
    assert (tables["ForcedSource"].director, tables["ForcedSource"].position) == ("Object", None)
    assert [file.chunk for file in tables["Visit"].files] == [None]


def test_truth_is_true(made: tuple[Path, SynthManifest]) -> None:
    """Counts and extents in the manifest are those of the rows, counted again."""
    folder, manifest = made
    answers = {answer.sql: answer.row for answer in manifest.known_truth.answers}
    tables = {name: rows_of(folder, name) for name in manifest.tables}
    for name, rows in tables.items():
        assert answers[f"SELECT COUNT(*) FROM {name}"] == (rows.num_rows,) == (manifest.known_truth.rows[name],)
    objects = tables["Object"]
    extent = tuple(
        value for name in ("ra", "decl") for value in (pc.min(objects[name]).as_py(), pc.max(objects[name]).as_py())
    )
    assert answers["SELECT MIN(ra), MAX(ra), MIN(decl), MAX(decl) FROM Object"] == extent
    bright = sum(value > 0.05 for value in objects["y_instFlux"].to_pylist() if value is not None)
    assert answers["SELECT COUNT(*) FROM Object WHERE y_instFlux > 0.05"] == (bright,)
    forced = [value for value in tables["ForcedSource"]["psfFlux"].to_pylist() if value is not None]
    count = sum(0.1 <= value <= 0.2 for value in forced)
    assert answers["SELECT COUNT(*) FROM ForcedSource WHERE psfFlux BETWEEN 0.1 AND 0.2"] == (count,)
    for chunk, truth in manifest.known_truth.chunks.items():
        assert truth.rows["Object"] == pq.read_metadata(folder / f"Object/chunk_{chunk}.parquet").num_rows


def test_empty_chunk_is_written(tmp_path: Path) -> None:
    """A chunk that happens to hold no object has files without rows, and the truth is null."""
    recipe = read_recipe("mini")
    sparse = recipe.model_copy(update={"sky": recipe.sky.model_copy(update={"objects_per_sqdeg": 1e-3})})
    manifest = write_catalog(sparse, tmp_path, CHUNKS)
    assert manifest.known_truth.rows["Object"] == 0
    assert manifest.tables["Source"].rows == 0
    assert manifest.known_truth.answers[-5].row == (None,) * 4


# Resuming


def mark(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("chunk_*.parquet")}


def test_second_run_makes_nothing(made: tuple[Path, SynthManifest], copied: Path) -> None:
    """A finished folder is checked and left alone."""
    before = mark(copied)
    assert write_catalog(read_recipe("mini"), copied, CHUNKS) == made[1]
    assert mark(copied) == before


def test_interrupted_run_is_resumed(made: tuple[Path, SynthManifest], tmp_path: Path) -> None:
    """After a run that died between chunks, only the missing chunks are made; the result is the same."""
    folder = tmp_path / "interrupted"
    planned = plan(read_recipe("mini"), folder, chunks=CHUNKS)

    def die(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_plan(planned, folder, watcher=die)
    assert not (folder / "manifest.json").exists()
    before = mark(folder)
    seen: list[Progress] = []
    resumed = write_plan(planned, folder, watcher=seen.append)
    assert [(progress.done, progress.total) for progress in seen] == [(2, 3), (3, 3)]
    assert before.items() <= mark(folder).items()
    assert resumed == made[1]


@pytest.mark.parametrize("harm", ["removed", "truncated", "changed"])
def test_harmed_file_is_made_again(made: tuple[Path, SynthManifest], copied: Path, harm: str) -> None:
    """A file that is gone, short or altered is found and replaced."""
    manifest = made[1]
    victim = copied / manifest.tables["Source"].files[1].path
    content = victim.read_bytes()
    if harm == "removed":
        victim.unlink()
    else:
        victim.write_bytes(content[:-10] if harm == "truncated" else content[:50] + b"x" + content[51:])
    assert write_catalog(read_recipe("mini"), copied, CHUNKS) == manifest
    assert victim.read_bytes() == content


@pytest.mark.parametrize("change", [{"seed": 9}, {"fraction": 0.9}, {"chunks": [7140]}])
def test_another_catalog_in_the_folder_is_refused(made: tuple[Path, SynthManifest], change: dict[str, Any]) -> None:
    """Seeds, fractions and selections are never mixed."""
    folder, manifest = made
    arguments = {"chunks": CHUNKS, **change}
    with pytest.raises(UserError, match="another recipe, seed, fraction or chunks"):
        write_catalog(read_recipe("mini"), folder, **arguments)
    assert read_manifest(folder) == manifest


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A folder with other things in it is left as it is."""
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="is not empty and holds no synthetic catalog"):
        write_catalog(read_recipe("mini"), tmp_path, CHUNKS)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_manifest_of_another_program_is_refused(tmp_path: Path) -> None:
    """A manifest that is not ours is named with the key."""
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(UserError, match=r"manifest.json', key "):
        write_catalog(read_recipe("mini"), tmp_path, CHUNKS)
    with pytest.raises(UserError, match="cannot read"):
        read_manifest(tmp_path / "none")


def test_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """--out that is a file is refused."""
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        write_catalog(read_recipe("mini"), tmp_path / "out", CHUNKS)
