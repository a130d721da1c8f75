"""Where segments are: ``<node>/columns/<stored database>/<table>/<name>.arrow``, beside the server's data folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from skyshard.catalog.ddl import part_suffix, physical_name
from skyshard.columns.segment_file import ENDING, OPEN_SEGMENTS, Segment
from skyshard.columns.segment_index import Piece, SegmentIndex, UnreadableSegment

FOLDER = "columns"
ASIDE = ".damaged"
KEPT_FOLDERS = 256
FileVersion = tuple[str, int, int, int]
"""Name, time of the last change in nanoseconds, bytes, and inode of a file."""


def columns_folder(data: Path) -> Path:
    """The folder of all segments of a server with this data folder: beside it, since a folder in it is a database.

    >>> str(columns_folder(Path("/c/node1/data"))), str(columns_folder(Path("/srv/mysql2")))
    ('/c/node1/columns', '/srv/mysql2-columns')
    """
    return data.with_name(FOLDER if data.name == "data" else f"{data.name}-{FOLDER}")


@dataclass(frozen=True, slots=True)
class SegmentFolder:
    """The segments of one database on one node. ``path`` need not be there."""

    path: Path

    @staticmethod
    def of(data: Path, database: str) -> SegmentFolder:
        """That of a server's data folder, and a database by its stored name."""
        return _folder_of(data, database)

    @property
    def is_there(self) -> bool:
        return self.path.is_dir()

    def files(self, table: str = "") -> list[Path]:
        """The files of segments, of one table or all, sorted; without drafts."""
        return sorted(self.path.glob(f"{table or '*'}/*{ENDING}"))

    def versions(self, table: str) -> Iterator[FileVersion]:
        """The files of a table's segments as they are now: no name, time, size and number is as before where one has
        been made, replaced, written into or removed."""
        try:
            with os.scandir(f"{self.path}/{table}") as listed:
                names = [one for one in listed if one.name.endswith(ENDING)]
        except OSError:  # there is none
            return
        for one in names:
            with suppress(OSError):  # it went meanwhile
                about = one.stat()
                yield one.name, about.st_mtime_ns, about.st_size, about.st_ino

    def aside(self) -> list[Path]:
        """The files that were set aside as damaged: nobody reads rows of them."""
        return sorted(self.path.glob(f"*/*{ASIDE}"))

    def set_aside(self, paths: Collection[Path]) -> None:
        """Take segments out of use; those that are gone are passed over."""
        for path in paths:
            with suppress(FileNotFoundError):
                path.rename(path.with_suffix(ASIDE))

    def segments(self, table: str = "") -> tuple[list[Segment], dict[Path, str]]:
        """The segments that can be read, and the files that cannot, each with its reason."""
        found, unreadable = [], {}
        for path in self.files(table):
            try:
                found.append(OPEN_SEGMENTS.get(path))
            except UnreadableSegment as error:
                unreadable[path] = str(error)
        return found, unreadable

    def new_path(self, table: str, *, is_overlap: bool) -> Path:
        """A name that no file has."""
        kind = "overlap" if is_overlap else "rows"
        return self.path / table / f"{kind}-{uuid.uuid4().hex[:16]}{ENDING}"

    def remove_drafts(self) -> None:
        """Remove what killed builds left half written; nobody writes meanwhile."""
        self.remove([*self.path.glob(f"*/.*{ENDING}.*.tmp")])

    def remove(self, paths: Collection[Path]) -> None:
        """Remove files, and folders that are empty then; those that are not there are passed over."""
        for path in paths:
            path.unlink(missing_ok=True)
        for folder in (*self.path.glob("*"), self.path, self.path.parent):
            with suppress(OSError):
                folder.rmdir()

    def remove_all(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            self.path.parent.rmdir()

    def sweep(self, tables: Collection[str]) -> int:
        """Remove the segments of which no chunk table is there any more; returns how many. Damaged ones stay: who
        verifies is to find them.

        Args:
            tables: all that the server has of the database.
        """
        if not self.is_there:
            return 0
        known, (segments, _) = frozenset(tables), self.segments()
        gone = [one.path for one in segments if not any(name in known for name in table_names(one.index))]
        self.remove(gone)
        return len(gone)


@lru_cache(maxsize=KEPT_FOLDERS)
def _folder_of(data: Path, database: str) -> SegmentFolder:
    """Each scan by columns asks once a table and node."""
    return SegmentFolder(columns_folder(data) / database)


def table_names(index: SegmentIndex) -> Iterator[str]:
    """The names of the tables whose rows a segment holds."""
    return (table_name(index, piece) for piece in index.pieces)


def table_name(index: SegmentIndex, piece: Piece) -> str:
    """The name of the table whose rows a piece holds."""
    return physical_name(index.table, piece.chunk, is_overlap=index.is_overlap, suffix=part_suffix(piece.part))
