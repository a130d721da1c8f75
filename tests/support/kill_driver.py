"""An ingest for a process of its own, so that it can be killed.

Where SKYSHARD_TEST_HOLD names a stage, it stays there, once it has said so, until it is killed. SKYSHARD_TEST_COLUMNS
says which columns have images; as the layout says where it is empty.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from skyshard.basics.errors import SkyshardError
from skyshard.basics.progress import Progress
from skyshard.runtime import RuntimeKind
from skyshard.testbed import Testbed

HOLD, COLUMNS = "SKYSHARD_TEST_HOLD", "SKYSHARD_TEST_COLUMNS"


def tell(progress: Progress) -> None:
    """Say on stdout what is under way."""
    print(progress.stage, flush=True)
    if progress.stage == os.environ.get(HOLD):
        while True:
            signal.pause()


def drive(cluster: Path, source: Path, database: str, runtime: RuntimeKind, replaced: list[str]) -> int:
    """Ingest, and say what is under way; the exit code is the command line's."""
    try:
        with Testbed(cluster, runtime=runtime) as testbed:
            print("begins", flush=True)
            columns = "all" if os.environ.get(COLUMNS) == "all" else None
            testbed.ingest(source, database=database, columns=columns, replace=replaced, watcher=tell)
            print("ends", flush=True)
    except SkyshardError as error:
        print(f"error: {error}", flush=True)
        return error.exit_code
    return 0
