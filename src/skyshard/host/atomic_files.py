"""Files that are complete or absent: written under a draft name in the same folder, then renamed.

A reader never sees half a file, and an error leaves what was there before. A file is flushed to disk before the rename
only on request: the others can be made again after a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_native_id


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """The draft to write; it replaces ``path`` when the block ends, and is removed when the block raises.

    >>> import tempfile
    >>> made = tempfile.TemporaryDirectory()
    >>> folder = Path(made.name)
    >>> with new_file(folder / "numbers.csv") as draft:
    ...     _ = draft.write_text("1,2")
    ...     (folder / "numbers.csv").exists()
    False
    >>> (folder / "numbers.csv").read_text()
    '1,2'
    >>> made.cleanup()
    """
    draft = path.with_name(f".{path.name}.{get_native_id()}.tmp")  # native ids differ over all processes of a host
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | memoryview | str, *, is_synced: bool = False) -> None:
    """Replace a file in one step; text as UTF-8. ``is_synced``: it is on disk before it gets its name."""
    with new_file(path) as draft, draft.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        if is_synced:
            file.flush()
            os.fsync(file.fileno())
