"""On which hosts the slices of a transaction are partitioned, and what is brought there and back for that.

A slice of a recipe needs no file: its rows are made on the host of the node that will hold them. Slices of files are
spread over the hosts of the nodes where all of these see each of their files as this host does. Everything else is read
here: files that only this host sees, tables of which the rows of a key are told apart beforehand, and tables whose
directors have more keys than hosts are given.

What a bundle has beside its rows (keys, orphans, positions, rows that were left out) is brought back to this host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import chain, zip_longest
from pathlib import Path

from skyshard.catalog.layout import split_director
from skyshard.ingest.on_nodes.bounded_futures import answers
from skyshard.ingest.on_nodes.earlier_rows import EarlierRows
from skyshard.ingest.on_nodes.moved_blocks import AwayHost
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.partition.key_files import KEYS, PLACES, RECORD, records
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.source import InputSlice, generated_chunk
from skyshard.ingest.transaction.chunk_places import place_chunks
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.node.host_files import FileState, HostFiles

MOST_KEYS = 1_000_000_000
"""Keys of directors that are brought to hosts, at 16 bytes each; rows that follow more of them are partitioned here."""


class PartitionPlaces:
    """Those of one transaction."""

    def __init__(self, run: RunContext, earlier: EarlierRows) -> None:
        self._run = run
        self._earlier = earlier
        self._away = run.site.away
        self._nodes_of: Mapping[int, Sequence[str]] | None = None
        self._brought: set[str] = set()

    def of(self, table: PlannedTable, *, later: str) -> dict[InputSlice, str]:
        """Slice → host (``Site.host_of``), so ordered that hosts take turns.

        Args:
            later: the folder that says which rows are not the first of their key; empty where there is none.
        """
        slices = table.source.slices
        if not self._away or later or not slices or self._keys_of(table) > MOST_KEYS:
            return dict.fromkeys(slices, "")
        if all(piece.made for piece in slices):
            return _in_turns({piece: self._maker(piece) for piece in slices})
        if any(piece.made for piece in slices) or not are_seen(self._away, [piece.path for piece in slices]):
            return dict.fromkeys(slices, "")
        hosts = list(self._away)
        return {piece: hosts[number % len(hosts)] for number, piece in enumerate(slices)}

    def keys_folder(self, director: str, host: str) -> str:
        """Where a host has the keys of a director, which are brought to all hosts at once; empty for no director."""
        if not director:
            return ""
        if not host:
            return str(self._earlier.keys_folder(director))
        if director not in self._brought:
            self._bring_keys(director)
            self._brought.add(director)
        return str(self._copy_of_keys(director, host))

    def fetch(self, report: SliceReport) -> None:
        """Bring what a bundle has beside its rows to this host."""
        rows = {segment.file for segment in report.segments}
        names = [name for name in report.files if name not in rows and not name.endswith(".bundle")]
        there = self._run.staging_on(report.host)
        files = {str(self._run.staging / name): (str(there / name), report.files[name]) for name in names}
        self._run.site.mover.copy(files, report.host)

    def _maker(self, piece: InputSlice) -> str:
        """The host of the node that will be the first to hold the chunk of a recipe's slice, if that is known."""
        chunk = generated_chunk(piece.path)
        plan = self._run.plan
        if chunk is None or plan.layout.striping != plan.source.layout.striping:
            return next(iter(self._away))
        if self._nodes_of is None:
            self._nodes_of = place_chunks(self._run, self._expected_bytes())
        return self._run.site.host_of(self._nodes_of[chunk][0])

    def _expected_bytes(self) -> dict[int, int]:
        sizes: dict[int, int] = {}
        for table in self._run.plan.tables:
            for piece in table.source.slices if table.source.layout.role.is_chunked else ():
                if (chunk := generated_chunk(piece.path)) is not None:
                    sizes[chunk] = sizes.get(chunk, 0) + piece.bytes
        return sizes

    def _directors(self, table: PlannedTable) -> list[str]:
        return [name for name in (table.source.layout.director, table.source.layout.director2) if name]

    def _keys_of(self, table: PlannedTable) -> int:
        folders = [self._earlier.keys_folder(director) for director in self._directors(table)]
        return sum(record.rows for folder in folders for record in records(folder).values())

    def _copy_of_keys(self, director: str, host: str) -> Path:
        database, name = split_director(director, self._run.database)
        return self._run.staging_on(host) / "director-keys" / database / name

    def _bring_keys(self, director: str) -> None:
        folder = self._earlier.keys_folder(director)
        for inner in records(folder):
            for name in (KEYS, PLACES, RECORD):
                path = inner / name
                files = {}
                for host in self._away:
                    files[host] = str(self._copy_of_keys(director, host) / path.relative_to(folder))
                self._run.site.mover.spread(str(path), path.stat().st_size, files)


def are_seen(away: Mapping[str, AwayHost], paths: Sequence[str]) -> bool:
    """True where every host sees each file with the size and date that it has here; each is asked once."""
    names = list(dict.fromkeys(paths))
    if not all(Path(name).is_absolute() for name in names):
        return False
    calls: dict[str, Future[list[FileState | None]]] = {
        host: one.files.call(HostFiles.states, names) for host, one in away.items()
    }
    mine = HostFiles().states(names)
    return all(states == mine for states in answers(calls).values()) and None not in mine


def _in_turns(hosts: Mapping[InputSlice, str]) -> dict[InputSlice, str]:
    """The same, ordered so that one slice of each host comes after the other."""
    queues: dict[str, list[InputSlice]] = {}
    for piece, host in hosts.items():
        queues.setdefault(host, []).append(piece)
    turns = chain.from_iterable(zip_longest(*queues.values()))
    return {piece: hosts[piece] for piece in turns if piece is not None}
