"""Rows of ObsCore as a folder that is ingested: named for its bytes, there whole or not at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.visit_release import patches_table

from skyshard.catalog.layout import Layout, Striping
from skyshard.catalog.obscore_columns import obscore_columns
from skyshard.ingest.obscore.constants import read_constants
from skyshard.ingest.obscore.observation_folder import ObservationFolder, parquet_schema
from skyshard.ingest.obscore.observations import Observations, Observed, Tally
from skyshard.ingest.sources.open_source import open_source

EDGES = 6
LAYOUT = Layout(striping=Striping(stripes=85, substripes=12, overlap_deg=0.01667), tables={})


def batches(seed: int = 2) -> list[pa.RecordBatch]:
    patches = patches_table(seed).rename_columns(["tract", "patch", "ra", "dec", "region"])
    rows = patches.append_column("band", pa.array(["r"] * patches.num_rows))
    return list(Observations(read_constants("hsc", [])[1], "sky", EDGES).batches(Observed("patch", rows), Tally()))


def written(parent: Path, made: list[pa.RecordBatch]) -> Path:
    with ObservationFolder(parent, "ivoa", LAYOUT, EDGES) as folder:
        folder.write(made)
        return folder.finish()


def test_same_rows_are_the_same_folder_and_others_are_another(tmp_path: Path) -> None:
    """So that they are ingested once; nothing unfinished stays."""
    first, again, other = (written(tmp_path, batches(seed)) for seed in (2, 2, 3))
    assert first == again != other
    assert Counter(path.name for path in tmp_path.iterdir()) == Counter([first.parent.name, other.parent.name])


def test_mapping_is_a_source_of_one_regular_table(tmp_path: Path) -> None:
    """With all columns in their order, and rows as they were given."""
    made = batches()
    mapping = written(tmp_path, made)
    source = open_source(mapping)
    assert list(source.tables) == ["ObsCore"] == list(yaml.safe_load(mapping.read_text())["tables"])
    names = [column.name for column in obscore_columns(EDGES)]
    found = pq.read_table(mapping.parent / "obscore.parquet")
    assert found.column_names == names
    assert found.num_rows == sum(batch.num_rows for batch in made) == 24
    assert found["obs_publisher_did"].to_pylist() == [text.decode() if isinstance(text, bytes) else text
                                                      for text in made[0]["obs_publisher_did"].to_pylist()]  # fmt: skip


def test_folder_of_a_run_that_failed_is_gone(tmp_path: Path) -> None:
    """And that of one that was killed is written anew."""
    with pytest.raises(ValueError, match="field names"), ObservationFolder(tmp_path, "ivoa", LAYOUT, EDGES) as folder:
        folder.write([*batches(), batches()[0].select(["obs_id"])])
    assert list(tmp_path.iterdir()) == []
    left = tmp_path / "ivoa.unfinished"
    left.mkdir()
    (left / "obscore.parquet").write_bytes(b"half")
    assert pq.read_table(written(tmp_path, batches()).parent / "obscore.parquet").num_rows == 24
    assert not left.exists()


def test_batch_without_rows_leaves_no_group(tmp_path: Path) -> None:
    """A batch is a row group, which is read by one task."""
    made = batches()
    mapping = written(tmp_path, [made[0], made[0].slice(0, 0), made[0]])
    file = pq.ParquetFile(mapping.parent / "obscore.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [24, 24]
    assert file.schema_arrow.names == parquet_schema(EDGES).names
