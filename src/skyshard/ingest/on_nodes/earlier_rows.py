"""What earlier transactions brought to directors: their keys, and the input that a key came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import split_director
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.doubled_input import row_in_file
from skyshard.ingest.partition.key_files import harmed, records
from skyshard.ingest.plan.ingest_plan import IngestPlan, require_no_rows_of_unique_indexes
from skyshard.ingest.plan.new_slices import NewSlices, new_slices
from skyshard.ingest.plan.stored_names import with_stored_names
from skyshard.ingest.source import SourceTable
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState

MOST_READ = 32
"""Files of earlier transactions that are read for the row with a key at most."""
MOST_FILES = 3
"""Files of earlier transactions that an error names at most, where none is read."""


class EarlierRows:
    """Those of one database, and of directors elsewhere that it follows; ``folder`` holds the keys of all databases."""

    def __init__(self, registry: Registry, folder: Path, database: str) -> None:
        self._registry = registry
        self._folder = folder
        self._database = database

    def keys_folder(self, director: str) -> Path:
        """Keys of a director, a folder a transaction; they outlive the ingest, for the next one to check against."""
        database, table = split_director(director, self._database)
        return self._folder / database / table

    def require_keys(self, director: str, but: Path | None = None) -> None:
        """The keys of as many rows as the registry knows: a folder that is gone would make orphans of its followers.

        Args:
            but: the keys of a transaction that is under way.

        Raises:
            UserError: keys are missing or damaged.
        """
        database, table = split_director(director, self._database)
        folder = self.keys_folder(director)
        known = sum(part.rows for part in self._registry.index_parts.all(database, table))
        there = sum(record.rows for record in records(folder, apart_from=but).values())
        if there != known:
            raise harmed(folder / "*", f"'{folder}' holds {there} of {known}")

    def keys(self, director: str) -> DirectorKeys:
        """The keys of a director.

        Raises:
            UserError: some are missing or damaged.
        """
        self.require_keys(director)
        return DirectorKeys.open(self.keys_folder(director))

    def place(self, table: SourceTable, key: int, chunk: int, besides: Sequence[str]) -> str:
        """The file and row that a director's key came from, else files that it may be from; empty if none is known.

        Args:
            besides: files of the ingest under way.
        """
        found = self._registry.contributions.all(self._database)
        wanted = (table.name, chunk, False)
        parts = {str(c["part"]) for c in found if (c["table"], c["chunk"], bool(c["is_overlap"])) == wanted}
        files = sorted(parts.difference(besides))
        for path in files[:MOST_READ]:
            row = row_in_file(table, path, {table.layout.key: key})
            if row is not None:
                return f"'{path}', row {row}"
        return " or ".join(f"'{path}'" for path in files[:MOST_FILES])


def what_is_new(registry: Registry, keys: Path, plan: IngestPlan) -> tuple[NewSlices, EarlierRows | None]:
    """What of a plan a database has not yet, and what it has.

    All is new to a database that is not published, and where rows are to be replaced or files were written again: which
    keys stay is not known before the ingest.

    Raises:
        UserError: rows would come to a table with a unique index, which takes no more.
    """
    plan = with_stored_names(registry, plan)
    if registry.databases.state(plan.database) is not DatabaseState.PUBLISHED:
        return NewSlices(plan, {}), None
    known = {name: layout for name, (_, layout) in registry.databases.table_definitions(plan.database).items()}
    if plan.replaced:
        require_no_rows_of_unique_indexes(plan, known)
        return NewSlices(plan, {}), None
    standing = registry.input_files.standing(plan.database)
    try:
        news = new_slices(plan, registry.contributions.ingested_parts(plan.database), standing)
    except UserError:  # `ingested_before` says which files these are
        return NewSlices(plan, {}), None
    require_no_rows_of_unique_indexes(news.plan, known)
    return news, EarlierRows(registry, keys, plan.database)
