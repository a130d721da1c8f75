"""The keys of directors as an earlier transaction saw them: rows that are brought again must find the same places.

A folder of links to the folders of the transactions up to that one. Where an index was made again since, the keys of
several transactions are in the folder of the last of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from skyshard.catalog.layout import split_director
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.upkeep.replay_origins import Origins


class KeysThen:
    """Links below a folder of this host."""

    def __init__(self, site: Site, database: str, origins: Origins, folder: Path) -> None:
        self._site = site
        self._database = database
        self._folder = folder
        self._origins: Mapping[str, Origins] = {database: origins}

    def of(self, director: str, transaction: int, *, with_own: bool = True) -> str:
        """The folder of a director's keys, as the transaction looked them up; empty for no director.

        Args:
            with_own: the keys that it brought itself are among them.
        """
        if not director:
            return ""
        database, table = split_director(director, self._database)
        last = transaction if with_own else transaction - 1
        brought = {number for number in self._of(database).transactions(table) if number <= last}
        there = self._site.folders.keys / database / table
        folder = self._folder / f"{database}.{table}.{last}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in _holders(brought, [int(inner.name) for inner in there.glob("*") if inner.name.isdigit()]):
            (folder / str(name)).symlink_to(there / str(name))
        return str(folder)

    def _of(self, database: str) -> Origins:
        if database not in self._origins:
            found = Origins(self._site.registry.contributions.all(database))
            self._origins = {**self._origins, database: found}
        return self._origins[database]


def _holders(brought: Iterable[int], folders: Iterable[int]) -> set[int]:
    """The folders with the keys of transactions: each one's own, or the next one's.

    >>> sorted(_holders({3, 5}, [3, 9, 12]))
    [3, 9]
    """
    there = sorted(folders)
    return {next(name for name in there if name >= number) for number in brought if there and there[-1] >= number}
