"""What a replacement takes of a source, and what of the registry's files goes, decided without a server."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.fits_tables import column, fits_file, table_hdu
from tests.support.tract_files import NEXT_RUN, TractFiles, first_state, second_objects

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.ingest_plan import IngestPlan, make_plan
from skyshard.ingest.plan.input_files import input_files, whole_files
from skyshard.ingest.plan.new_slices import new_slices
from skyshard.ingest.plan.replacement import bytes_digest, replacing
from skyshard.ingest.sources.open_source import open_source
from skyshard.registry.stored.records import InputFile


@pytest.fixture
def files(tmp_path: Path) -> TractFiles:
    made = TractFiles(tmp_path, "sky")
    first_state(made)
    return made


def plan_of(files: TractFiles) -> IngestPlan:
    return make_plan(open_source(files.mapping))


def ingested(files: TractFiles) -> list[InputFile]:
    """As the registry knows the files that are there, after one transaction."""
    return standing_of(plan_of(files))


def standing_of(plan: IngestPlan) -> list[InputFile]:
    found, files = input_files(table.source for table in plan.tables), whole_files(plan)
    return [
        replace(file, number=number, digest=bytes_digest(file, files), rows=1, transaction=3)
        for number, file in enumerate(found, 1)
    ]


def going(plan: IngestPlan) -> list[tuple[str, str]]:
    return [(file.table, file.tract) for file in plan.replaced]


def coming(plan: IngestPlan) -> list[str]:
    return [piece.path for table in plan.tables for piece in table.source.slices]


def test_a_tract_takes_what_differs(files: TractFiles) -> None:
    """Of a tract's files those whose bytes are others; the same ones stay as they are."""
    standing = ingested(files)
    second_objects(files)
    plan = replacing(plan_of(files), standing, ["0001"])
    assert going(plan) == [("Object", "1")]
    assert coming(plan) == [str(files.path("Object", 1))]
    assert replacing(plan_of(files), ingested(files), ["1"]).replaced == ()


def test_a_file_by_path_or_dataset(files: TractFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, and the name of a dataset, mean the same file."""
    standing = ingested(files)
    path = second_objects(files)
    monkeypatch.chdir(path.parent)
    for wanted in (path.name, "objectTable_tract tract 1 skymap hsc_rings_v1"):
        assert going(replacing(plan_of(files), standing, [wanted])) == [("Object", "1")]


def test_a_tract_without_a_table_that_it_had(files: TractFiles) -> None:
    """Refused when the source does not have the table at all; where tables were chosen, the others stay."""
    standing = ingested(files)
    less = TractFiles(files.folder, "sky", tables=("Object",))
    second_objects(less)
    with pytest.raises(UserError, match=r"files in table 'Source', which .* does not have"):
        replacing(plan_of(less), standing, ["1"])
    assert going(replacing(plan_of(less), standing, ["1"], names_tables=True)) == [("Object", "1")]


def test_without_provenance_nothing_is_replaced(files: TractFiles) -> None:
    with pytest.raises(UserError, match=r"does not know which rows are of which file.*provenance: true"):
        replacing(plan_of(files), [], ["1"])


def test_a_rewritten_file_is_refused_with_the_way_out(files: TractFiles) -> None:
    """By its path, and by its dataset where another run wrote it; a file that was not written again is passed over."""
    standing = ingested(files)
    taken = {(file.table, file.path): {file.digest} for file in standing}
    second_objects(files)
    with pytest.raises(UserError, match=r"has changed since it was ingested .* add --replace"):
        new_slices(plan_of(files), taken, standing)
    again = TractFiles(files.folder, "sky", run=NEXT_RUN)
    first_state(again)
    second_objects(again)
    with pytest.raises(UserError, match=r"is objectTable_tract tract 1 .* \(transaction 3\); add --replace"):
        new_slices(plan_of(again), taken, standing)


def test_another_table_of_the_same_file_is_other_content(tmp_path: Path) -> None:
    """A FITS file is read as its first table unless another HDU is named: naming that is the same, another is not."""
    tables = [table_hdu([column("visit", "K", [1, 2])]), table_hdu([column("visit", "K", [5])])]
    path = tmp_path / "a.fits"
    path.write_bytes(fits_file(*tables))

    def plan_of_hdu(fits: str) -> IngestPlan:
        (tmp_path / "mapping.yaml").write_text(
            "version: 1\ndatabase: sky\nprovenance: true\nstriping: {stripes: 18, substripes: 6, overlap_deg: 0.1}\n"
            f"schema: infer\ntables: {{T: {{role: regular, files: [a.fits], fits: {fits}}}}}\n"
        )
        return make_plan(open_source(tmp_path / "mapping.yaml"))

    plan = plan_of_hdu("{}")
    (piece,) = plan.tables[0].source.slices
    standing, taken = standing_of(plan), {("T", piece.path): {piece.fingerprint()}}
    assert standing[0].digest == piece.fingerprint()
    assert replacing(plan_of_hdu("{hdu: 1}"), standing, [str(path)]).replaced == ()
    assert new_slices(plan_of_hdu("{hdu: 1}"), taken, standing).is_empty
    other = replacing(plan_of_hdu("{hdu: 2}"), standing, [str(path)])
    assert ([file.number for file in other.replaced], coming(other)) == ([1], [str(path)])
    with pytest.raises(UserError, match=r"add --replace"):
        new_slices(plan_of_hdu("{hdu: 2}"), taken, standing)
    standing, back = standing_of(plan_of_hdu("{hdu: 2}")), plan_of_hdu("{}")
    assert coming(replacing(back, standing, [str(path)])) == [str(path)]


def test_what_folders_give_is_content(tmp_path: Path) -> None:
    """A file that is the same stays, and one with the bytes of another is refused, but not of one in another folder."""
    paths = {name: tmp_path / name for name in ("band=g/a.parquet", "band=g/b.parquet", "band=r/a.parquet")}
    for number, path in enumerate(paths.values()):
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"n": [number]}), path)
    declared = "[{name: n, type: int}, {name: band, type: char(1)}]"
    (tmp_path / "mapping.yaml").write_text(
        "version: 1\ndatabase: sky\nprovenance: true\nstriping: {stripes: 18, substripes: 6, overlap_deg: 0.1}\n"
        f"tables: {{T: {{role: regular, files: ['**/*.parquet'], declare: {declared}}}}}\n"
    )
    plan = make_plan(open_source(tmp_path / "mapping.yaml"))
    digests = {piece.path: piece.fingerprint() for piece in plan.tables[0].source.slices}
    standing = [replace(file, digest=digests[file.path]) for file in standing_of(plan)]
    first, second, other = map(str, paths.values())
    assert replacing(plan, standing, [first]).replaced == ()
    shutil.copy(first, other)
    assert coming(replacing(make_plan(open_source(tmp_path / "mapping.yaml")), standing, [other])) == [other]
    shutil.copy(first, second)
    with pytest.raises(UserError, match=r"b.parquet' has the content of '.*a.parquet', which is in 'sky'"):
        replacing(make_plan(open_source(tmp_path / "mapping.yaml")), standing, [second])
