"""Chooses the adapter that reads a source, by what the folder or file holds."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.ingest.source import Source
from skyshard.ingest.sources.mapping_source import mapping_file, open_mapping
from skyshard.ingest.sources.metadata_folder import is_metadata_folder, open_metadata_folder
from skyshard.ingest.sources.qserv_folder import is_test_catalog, open_test_catalog
from skyshard.ingest.sources.synth_folder import is_synth_folder, open_synth_folder


def is_source_folder(path: Path) -> bool:
    """True for a folder that says itself what it holds."""
    tests = (is_synth_folder, is_metadata_folder, is_test_catalog)
    return mapping_file(path) is not None or any(test(path) for test in tests)


def open_source(path: Path, only: Collection[str] | None = None) -> Source:
    """Open a source for planning; reads descriptions, not data.

    Args:
        only: the tables that are asked for; what describes the others is not read, and need not be right or there.

    Raises:
        UserError: nothing there, or nothing that any adapter knows.
    """
    if not path.exists():
        raise UserError(f"no source '{path}'", remedy="check the path")
    if path.name in ("metadata.json", "manifest.json"):
        path = path.parent
    mapping = mapping_file(path)
    if mapping is not None:
        return open_mapping(mapping, only)
    if is_synth_folder(path):
        return open_synth_folder(path, only)
    if is_metadata_folder(path):
        return open_metadata_folder(path, only)
    if is_test_catalog(path):
        return open_test_catalog(path, only)
    raise UserError(
        f"'{path}' is no source that Skyshard knows",
        remedy="give a synth folder (manifest.json), a folder with metadata.json, a Qserv test-catalog folder "
        "(data/description.yaml), or a mapping file (.yaml)",
    )
