"""Version 2, release 0.2.0: everything that is kept says its version.

Release 0.1.0 wrote none into reports of transactions and into files of kept truth; the table ``versions`` comes when
the step is recorded.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skyshard.host.atomic_files import write_atomically
from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace

_REPORTS = "skyshard_registry.transactions"
_OLD_REPORT = "JSON_TYPE(report) = 'OBJECT' AND JSON_LENGTH(report) > 0 AND NOT JSON_EXISTS(report, '$.version')"


def _count_reports(place: UpgradePlace) -> int:
    return int(place.admin.value(f"SELECT COUNT(*) FROM {_REPORTS} WHERE {_OLD_REPORT}"))


def _mark_reports(place: UpgradePlace) -> None:
    place.admin.execute(f"UPDATE {_REPORTS} SET report = JSON_INSERT(report, '$.version', 1) WHERE {_OLD_REPORT}")


def _old_truth(place: UpgradePlace) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Files of kept truth without a version, with what they hold."""
    for path in sorted((place.folder / "truth").glob("*/*.json.gz")):
        content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        if "version" not in content:
            yield path, content


def _count_truth(place: UpgradePlace) -> int:
    return sum(1 for _ in _old_truth(place))


def _mark_truth(place: UpgradePlace) -> None:
    for path, content in _old_truth(place):
        write_atomically(path, gzip.compress(json.dumps({"version": 1, **content}).encode(), 3), is_synced=True)


STEP = Step(
    2,
    (
        Change("write a version into {n} reports of transactions", _count_reports, _mark_reports),
        Change("write a version into {n} files of kept truth", _count_truth, _mark_truth),
    ),
    {"row digest": 1},
)
