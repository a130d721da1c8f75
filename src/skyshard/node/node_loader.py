"""What a node's loader can do: the seam between an ingest and what runs beside each node.

One that makes tables in a MariaDB server is `mariadb_loader.MariaDBLoader`; it lives as an actor beside its server, and
is called through a `runtime.Handle[NodeLoader]`:

    handle.call(NodeLoader.build, order).result()

Rules: arguments and results are plain values and the frozen messages of `messages`, and can be pickled. Those that name
files of a host say so: they hold only where director and loader see the same files. Every method can be called again
after a failure, whenever that was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from skyshard.node.messages import (
    BuildOrder,
    BuiltTable,
    ColumnsOrder,
    DigestOrder,
    ExportOrder,
    Hello,
    HelloOrder,
    MadeColumns,
    MergeTableOrder,
    RepairOrder,
    RowsOrder,
    SegmentFacts,
    ShownTable,
    TableDigest,
)

if TYPE_CHECKING:
    import pyarrow as pa


class NodeLoader(Protocol):
    """Makes, reads and drops the tables of one server.

    Every method raises ClusterError where the server does not answer (retryable) or its disk is full.
    """

    def started_s(self) -> float:
        """When the server was started, by its own clock, in seconds since 1970: the same number as long as it runs."""
        ...

    def hello(self, order: HelloOrder) -> Hello:
        """What the worker knows of its host, and whether it and its server share one folder: proved by rows."""
        ...

    def engines(self) -> list[str]:
        """The storage engines that the server has, as servers call them."""
        ...

    # databases

    def hold(self, database: str, *, makes_room: bool = False) -> None:
        """Keep every other loader away from a database, until ``release`` or the end of this loader.

        Args:
            makes_room: nothing but removals is to come, which a full disk needs.

        Raises:
            ClusterError: the loader of another ingest is still at work (retryable); the disk is full.
        """
        ...

    def release(self, database: str) -> None:
        """Let others at the database; no-op where it is not held."""
        ...

    def make_database(self, database: str) -> None:
        """Make an empty database; no-op where it is there."""
        ...

    def drop_database(self, database: str) -> None:
        """Remove a database with everything in it, leftovers of killed loads too; no-op where there is none."""
        ...

    # tables

    def tables(self, database: str) -> list[str]:
        """Names of the tables of a database, sorted."""
        ...

    def drop_tables(self, database: str, names: Sequence[str]) -> None:
        """Drop tables and views; names that are not there are passed over."""
        ...

    def leftover_files(self, database: str, prefix: str = "") -> list[str]:
        """Files that belong to no table of a database: paths below the data folder, sorted.

        Args:
            prefix: only those of tables whose name begins like this.
        """
        ...

    def remove_leftover_files(self, database: str, prefix: str = "") -> None:
        """Remove what ``leftover_files`` lists."""
        ...

    def clear_staging(self, folder: str, kept: str = "") -> None:
        """Remove what ingests have under way in a staging folder of this host; all but the transaction ``kept``."""
        ...

    def sweep(self, database: str, known: Collection[str]) -> None:
        """Drop the tables that are not known, and remove the files of none."""
        ...

    def build(self, order: BuildOrder) -> list[BuiltTable]:
        """Make tables, count and check them; what was there under their names is replaced.

        Raises:
            ClusterError: the server took fewer rows than it was given, or other ones.
            UserError: a value that the server refuses, or rows that a primary or unique key does not allow.
        """
        ...

    def make_merge_tables(self, order: MergeTableOrder) -> None:
        """Make the tables that show several parts as one; what was there under their names is replaced."""
        ...

    def repair(self, order: RepairOrder) -> None:
        """Make the indexes of tables again from their rows; ``faults`` tells whether that helped."""
        ...

    def run(self, database: str, statements: Sequence[str]) -> None:
        """Run DDL statements, or others that return no rows, one after the other."""
        ...

    def settle(self, database: str) -> None:
        """Have the files of a database on the disk: a power cut takes nothing of them from then on.

        What else there is on the file system is written too; other file systems of the host are let be.
        """
        ...

    # reading

    def digests(self, order: DigestOrder) -> list[TableDigest]:
        """Count and digest tables as they are now, in the order's order; one that cannot be read hides no other.

        A server that stops answering is an error, and no table's fault; so is a full disk.
        """
        ...

    def faults(self, database: str, tables: Sequence[ShownTable]) -> dict[str, str]:
        """What is wrong with indexes and lists of parts: name of the table → why."""
        ...

    def export(self, order: ExportOrder) -> list[int]:
        """Write a table's rows to a file of the loader's host, whose folder is made where it is missing.

        Returns the rows of each batch in the file, packed records being one.
        """
        ...

    def rows(self, order: RowsOrder) -> pa.Table:
        """Rows of tables that no longer change, in the Arrow types of their columns; always in the same order.

        Raises:
            ClusterError: a table that is missing or cannot be read.
        """
        ...

    # column images

    def make_columns(self, order: ColumnsOrder) -> MadeColumns:
        """Write a segment of columns; tables that have not the rows that the registry says are left out and named."""
        ...

    def segments(self, database: str) -> list[SegmentFacts]:
        """The segments of a database, sorted by path, also those that were set aside."""
        ...

    def segment_faults(self, paths: Sequence[str]) -> dict[str, str]:
        """Read segments whole: path → what is wrong, for those that are not as they were written."""
        ...

    def set_segments_aside(self, database: str, paths: Sequence[str]) -> None:
        """Take segments out of use; ``segments`` goes on to name them."""
        ...

    def drop_segments(self, database: str, paths: Sequence[str] | None = None) -> None:
        """Remove segments of a database, or all of it; those that are not there are passed over."""
        ...

    def drop_drafts(self, database: str) -> None:
        """Remove what killed calls of ``make_columns`` left; nobody makes columns of the database meanwhile."""
        ...
