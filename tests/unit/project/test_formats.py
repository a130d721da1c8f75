"""Formats on disk: what releases wrote is read; a later version, or none, is refused in one line."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.frozen import FIRST, FROZEN

from skyshard.basics.errors import UserError
from skyshard.bench.compare.comparison import Comparison
from skyshard.bench.compare.sweep import Sweep
from skyshard.bench.compare.trend import Trend
from skyshard.bench.model.published_results import read_published
from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.workload.query_template import read_template
from skyshard.bench.workload.schema_names import read_schema_file
from skyshard.bench.workload.workload import read_workload
from skyshard.catalog.layout import read_layout
from skyshard.catalog.strict_files import parse_written, read_written
from skyshard.catalog.synth_manifest import read_manifest
from skyshard.cluster.cluster_folder import ClusterRecord
from skyshard.ingest.sources.mapping import read_mapping
from skyshard.ingest.sources.synth_folder import open_synth_folder
from skyshard.ingest.transaction.kept_truth import KeptTruth
from skyshard.registry.transactions.transaction_report import read_report
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.recipe.release_profile import read_profile

RELEASES = sorted(path.parent.name for path in FROZEN.glob("*/cluster.json"))


@dataclass(frozen=True)
class Format:
    """A file in a sample, and what reads it: the file, or the folder that it is in."""

    path: str
    read: Callable[[Path], Any]
    reads_folder: bool = False
    is_needed: bool = True
    """False where a missing version means version 1: files that people write."""

    def read_in(self, folder: Path) -> Any:
        path = folder / self.path
        return self.read(path.parent if self.reads_folder else path)


FORMATS = {
    "cluster": Format("cluster.json", ClusterRecord.read, reads_folder=True),
    "synth manifest, by synthesis": Format("catalog/manifest.json", read_manifest, reads_folder=True),
    "synth manifest, by ingest": Format("catalog/manifest.json", open_synth_folder, reads_folder=True),
    "trial manifest": Format("trial/manifest.json", read_trial, reads_folder=True),
    "trial summary": Format("trial/summary.json", read_trial, reads_folder=True),
    "trial plans": Format("trial/plans.json", read_trial, reads_folder=True),
    "comparison": Format("comparison/comparison.json", lambda path: read_written(Comparison, path, "compare again")),
    "trend": Format("trend/trend.json", lambda path: read_written(Trend, path, "make it again")),
    "sweep": Format("sweep/sweep.json", lambda path: read_written(Sweep, path, "sweep again")),
    "recipe": Format("recipe.yaml", read_recipe),
    "workload": Format("workload.yaml", read_workload),
    "mapping": Format("days/mapping.yaml", read_mapping),
    "layout": Format("shipped/ingest/layouts/kpm-85-12.yaml", read_layout, is_needed=False),
    "profile": Format("shipped/synth/profiles/kpm-10.yaml", read_profile),
    "schema": Format("shipped/queries/schemas/kpm.yaml", lambda path: read_schema_file(path.parent, path.stem)),
    "published results": Format("shipped/queries/published/kpm.yaml", read_published),
}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of what 0.1.0 left, without its servers."""
    shutil.copytree(FIRST, tmp_path / "sample", ignore=shutil.ignore_patterns("servers"))
    return tmp_path / "sample"


def refused(read: Callable[[], object]) -> str:
    """The one line that a wrong file is refused with; the exit code is that of wrong input."""
    with pytest.raises(UserError) as caught:
        read()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", FORMATS)
def test_what_a_release_wrote_is_read(name: str, release: str) -> None:
    """Every file of every release, as it lies there."""
    assert FORMATS[name].read_in(FROZEN / release)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_a_later_version_is_refused(sample: Path, name: str) -> None:
    """The error names the file and says what to install; whatever else is new in the file is no matter."""
    path = sample / FORMATS[name].path
    text = path.read_text()
    path.write_text(re.sub(r'^(\s*"?version"?: )1\b', r"\g<1>99", text, count=1, flags=re.MULTILINE))
    assert path.read_text() != text
    said = refused(lambda: FORMATS[name].read_in(sample))
    assert path.name in said
    assert "99 is of a later release" in said
    assert said.endswith("install a newer release of Skyshard")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_without_version_is_refused_where_skyshard_or_its_format_needs_one(sample: Path, name: str) -> None:
    """The error names file and key; only a layout may leave it out."""
    path = sample / FORMATS[name].path
    text = path.read_text()
    path.write_text(re.sub(r'^\s*"?version"?: 1,?\n', "", text, count=1, flags=re.MULTILINE))
    assert path.read_text() != text
    if not FORMATS[name].is_needed:
        assert FORMATS[name].read_in(sample)
        return
    said = refused(lambda: FORMATS[name].read_in(sample))
    assert path.name in said
    assert "version" in said


@pytest.mark.parametrize(
    ("name", "key"), [("samples", b"skyshard.samples.version"), ("telemetry", b"skyshard.telemetry.version")]
)
def test_measured_tables_of_a_later_version_are_refused(sample: Path, name: str, key: bytes) -> None:
    """Parquet files say their version in their metadata."""
    path = sample / "trial" / f"{name}.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({key: b"99"}), path)
    said = refused(lambda: read_trial(sample / "trial"))
    assert f"{name}.parquet', key 'version': version 99 is of a later release" in said


def test_samples_without_version_are_refused(sample: Path) -> None:
    """What cannot be told is not guessed."""
    path = sample / "trial" / "samples.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    assert "samples.parquet', key 'version': it is missing" in refused(lambda: read_trial(sample / "trial"))


@pytest.mark.parametrize("path", sorted((FIRST / "truth").glob("*/*")), ids=lambda path: path.parent.name)
def test_kept_truth_of_0_1_0_needs_the_upgrade(path: Path, tmp_path: Path) -> None:
    """It has no version; with one it is read, with a later one refused."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    assert "version" in refused(lambda: read_written(KeptTruth, path, "upgrade"))
    versioned, later = tmp_path / "1.json.gz", tmp_path / "99.json.gz"
    for copy, version in ((versioned, 1), (later, 99)):
        copy.write_bytes(gzip.compress(json.dumps({"version": version, **content}).encode()))
    assert read_written(KeptTruth, versioned, "upgrade").tables
    assert "later release" in refused(lambda: read_written(KeptTruth, later, "upgrade"))


REPORTS = [row for row in json.loads((FIRST / "json" / "transactions.json").read_text()) if row["report"]]


@pytest.mark.parametrize("row", REPORTS, ids=lambda row: f"transaction {row['id']}")
def test_reports_of_0_1_0_need_the_upgrade(row: dict[str, Any]) -> None:
    """They have no version; with one they are read, with a later one refused."""
    assert "cluster upgrade" in refused(lambda: read_report(row))
    assert read_report(row | {"report": {"version": 1, **row["report"]}}).version == 1
    later = row | {"report": {"version": 99, **row["report"]}}
    assert "later release" in refused(lambda: read_report(later))


def test_templates_of_0_1_0_are_read() -> None:
    """Query templates have no version: their header names every key that it may hold."""
    folder = FIRST / "shipped" / "queries" / "sql"
    keys = sorted(f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.sql"))
    assert [read_template(folder, key).key for key in keys] == keys


def test_written_content_is_refused_with_its_remedy() -> None:
    """A wrong key is named, with what to do."""
    with pytest.raises(UserError, match=r"the record, key 'nodes': .*; make it again"):
        parse_written(ClusterRecord, {"version": 1, "created": "", "sockets": "/x"}, "the record", "make it again")
