"""What doors ask, played in memory: statements whose rows are given, and submitted ones."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.schema import Table
from skyshard.cli.serving.tap_services import CzarAdql
from skyshard.db.connection import Endpoint
from skyshard.ingest.sources.open_source import open_source
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource
from skyshard.serve.access import Access, Identity, OpenAccess, Quota, Scope
from skyshard.serve.page_services import BenchNow, CatalogNow, NodeNow, RunningQuery, SkyNow, Subject, TransactionNow
from skyshard.serve.services import (
    CountedRows,
    EndedSums,
    LaneName,
    Open,
    PastQuery,
    Services,
    StateNow,
    TableIndex,
    UserTable,
    Wanted,
)
from skyshard.serve.tap_services import TapServices
from skyshard.serve.user_limits import Meter


@dataclass(frozen=True, slots=True)
class PlayedAnswer:
    """An answer of given batches; ``columns`` may repeat."""

    columns: tuple[str, ...]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    query: str = ""
    generation: int = 0
    form: str = ""
    chunks: int = 0


@dataclass
class PlayedQueries:
    """Statements and what they give: a table, or an error; ``cancelled`` are the names of queries that were stopped."""

    tables: Mapping[str, pa.Table | SkyshardError]
    lanes: Mapping[str, LaneName] = field(default_factory=dict)
    batch_rows: int = 1000
    cancelled: list[str] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    """Rows of each batch that was read."""
    threads: list[str] = field(default_factory=list)
    """Names of the threads that opened answers."""
    closed: threading.Event = field(default_factory=threading.Event)

    def lane(self, sql: str, database: str) -> LaneName:
        self._table(sql)
        return self.lanes.get(sql, "interactive")

    def prepare(self, sql: str, database: str) -> tuple[LaneName, Open]:
        return self.lane(sql, database), lambda: self.open(sql, database)

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[PlayedAnswer]:
        found = self._table(sql)
        self.threads.append(threading.current_thread().name)
        try:
            yield PlayedAnswer(tuple(found.column_names), found.schema, self._batches(found), f"of {sql}")
        finally:
            self.closed.set()

    def _table(self, sql: str) -> pa.Table:
        found = self.tables.get(sql, UserError(f"no such statement: {sql}", remedy="give another"))
        if isinstance(found, SkyshardError):
            raise found
        return found

    def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        for batch in table.to_batches(self.batch_rows):
            self.read.append(batch.num_rows)
            yield batch

    def explain(self, sql: str, database: str) -> Mapping[str, Any]:
        return {"lane": self.lane(sql, database)}

    def analyze(self, sql: str, database: str) -> Mapping[str, Any]:
        with self.open(sql, database) as answer:
            return {"rows": sum(batch.num_rows for batch in answer.batches), "nodes": []}

    def written_out(self, sql: str, database: str) -> str:
        return sql

    def cancel(self, query: str) -> bool:
        self.cancelled.append(query)
        return True


@dataclass
class PlayedSubmissions:
    """Submitted queries of a ``PlayedQueries``."""

    queries: PlayedQueries
    rows: dict[int, PastQuery] = field(default_factory=dict)
    waiting: Sequence[int] = ()
    limits_s: dict[int, float] = field(default_factory=dict)
    """The times that they were given."""

    def submit(self, sql: str, database: str, owner: str, limit_s: float = 0.0) -> int:
        number = len(self.rows) + 1
        self.limits_s[number] = limit_s
        self.rows[number] = PastQuery(
            number, True, database, sql, "queued", "", "", 1000.0, None, None, 0, 0, 0, 0, "", owner
        )  # fmt: skip
        return number

    def run(self, number: int, meter: Meter | None = None) -> None:
        row = replace(self.rows[number], begun_s=1001.0, ended_s=1003.5)
        try:
            with self.queries.open(row.statement, row.database) as answer:
                rows = 0
                for batch in answer.batches:
                    if meter is not None:
                        meter(batch)
                    rows += batch.num_rows
            self.rows[number] = replace(
                row, state="completed", lane="scan", chunks=4, chunks_done=4, rows=rows, bytes=80
            )
        except SkyshardError as error:
            self.rows[number] = replace(row, state="failed", error=str(error))

    def left_over(self) -> Sequence[int]:
        return self.waiting

    def status(self, number: int) -> PastQuery:
        if number not in self.rows:
            raise UserError(f"no query {number}", remedy="skyshard queries lists them")
        return self.rows[number]

    def result(self, number: int) -> PlayedAnswer:
        row = self.status(number)
        if row.state != "completed":
            raise UserError(f"query {number} is {row.state}", remedy="submit it again")
        found = self.queries.tables[row.statement]
        assert isinstance(found, pa.Table)
        return PlayedAnswer(tuple(found.column_names), found.schema, iter(found.to_batches(self.queries.batch_rows)))

    def cancel(self, number: int) -> PastQuery:
        row = self.status(number)
        if row.state in ("queued", "executing"):
            self.rows[number] = replace(row, state="cancelled", ended_s=1002.0)
        return self.rows[number]

    def delete_result(self, number: int) -> None:
        self.result(number)
        self.rows[number] = replace(self.rows[number], state="expired")

    def kept_of(self, owner: str) -> int:
        open_or_held = ("queued", "executing", "completed")
        return sum(row.owner == owner and row.state in open_or_held for row in self.rows.values())

    def states(self, numbers: Collection[int]) -> dict[int, str]:
        return {number: self.rows[number].state for number in numbers if number in self.rows}

    def find(self, wanted: Wanted) -> list[PastQuery]:
        found = [row for row in self.rows.values() if not wanted.states or row.state in wanted.states]
        found = [row for row in found if wanted.owner in ("", row.owner)]
        found = [row for row in found if wanted.below is None or row.number < wanted.below]
        return [row for row in found if wanted.text.lower() in row.statement.lower()][::-1][: wanted.most]


@dataclass
class PlayedCatalogs:
    """Published databases."""

    by_name: Mapping[str, Catalog] = field(default_factory=dict)

    def generation(self) -> int:
        return 0

    def databases(self) -> list[str]:
        return sorted(self.by_name)

    def catalog(self, name: str) -> Catalog:
        if name not in self.by_name:
            raise UserError(f"unknown database '{name}'", remedy="SHOW DATABASES lists them")
        return self.by_name[name]


@dataclass
class PlayedMeasures:
    """Ended queries by number, with those that have settled up to ``settled``."""

    ended: dict[int, EndedSums] = field(default_factory=dict)
    settled: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    asked_after: list[int] = field(default_factory=list)
    is_lost: bool = False

    def ended_queries(self, after: int) -> tuple[list[EndedSums], list[EndedSums], int]:
        if self.is_lost:
            raise ClusterError("the czar's server is gone: /a/secret/path")
        self.asked_after.append(after)
        found = {number: sums for number, sums in self.ended.items() if number > after}
        settled = [sums for number, sums in found.items() if number <= self.settled]
        return settled, [sums for number, sums in found.items() if number > self.settled], max(after, self.settled)

    def ingested_rows(self, after: int) -> tuple[int, int, int]:
        found = {number: rows for number, rows in self.rows.items() if number > after}
        before = sum(rows for number, rows in found.items() if number <= self.settled)
        return before, sum(found.values()) - before, max(after, self.settled)

    def now(self) -> StateNow:
        return StateNow({"node1": True, "node2": False}, {"good": 7}, {"finished": 2}, {"executing": 1}, 4096)


class Keys:
    """Tokens by their text, which is the name, too; ``quotas`` may be changed."""

    def __init__(self, **tokens: Scope) -> None:
        self._tokens = tokens
        self.quotas: dict[str, Quota] = {}

    def identify(self, token: str) -> Identity | None:
        return Identity(token, self._tokens[token], self.quota_of(token)) if token in self._tokens else None

    def quota_of(self, name: str) -> Quota:
        return self.quotas.get(name, Quota())

    def is_known(self, name: str) -> bool:
        return name in self._tokens

    def revoke(self, name: str) -> None:
        del self._tokens[name]


@dataclass
class PlayedHealth:
    """Whatever is wrong."""

    wrong: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        return self.wrong


@dataclass
class PlayedPublished:
    """A snapshot of published databases, always the same one."""

    source: CatalogSource

    def now(self) -> CatalogSource:
        return self.source


@dataclass
class PlayedOwnTables:
    """Tables that are taken, and statements that have given answers."""

    rows: dict[str, Sequence[Sequence[Any]]] = field(default_factory=dict)
    answers: Mapping[str, pa.Table] = field(default_factory=dict)

    def put(self, tables: Mapping[Table, Sequence[Sequence[Any]]]) -> Mapping[str, tuple[str, str]]:
        self.rows = {table.name: rows for table, rows in tables.items()}
        return {table.name: ("own", table.name) for table in tables}

    def ask(self, sql: str) -> pa.Table:
        if sql not in self.answers:
            raise UserError(f"no such statement: {sql}", remedy="give another")
        return self.answers[sql]

    def close(self) -> None:
        self.rows = {}


@dataclass
class PlayedUserTables:
    """Tables that were brought, each with the bytes of its rows."""

    added: dict[str, tuple[UserTable, bytes]] = field(default_factory=dict)

    def add(self, table: UserTable) -> None:
        name = f"{table.database}.{table.name}"
        if name in self.added:
            raise UserError(f"there is a table {name}", remedy="drop it")
        self.added[name] = table, table.rows.read_bytes()

    def drop_table(self, database: str, table: str) -> None:
        if self.added.pop(f"{database}.{table}", None) is None:
            raise UserError(f"there is no table {database}.{table}")

    def drop_database(self, database: str) -> None:
        names = [name for name in self.added if name.startswith(f"{database}.")]
        if not names:
            raise UserError(f"unknown database '{database}'")
        for name in names:
            del self.added[name]


class NoServer:
    """No MariaDB is behind the MySQL door, which is not opened."""

    endpoint = Endpoint()

    def start(self) -> None:
        raise UserError("there is no server here", remedy="open no MySQL door")

    def stop(self) -> None:
        pass


@dataclass
class PlayedIngests:
    """Folders that were ingested, each with the rows of its files by table and chunk."""

    folder: Path = Path("/nowhere")
    databases: list[Mapping[str, Any]] = field(default_factory=list)
    ingested: dict[str, dict[str, str]] = field(default_factory=dict)
    charsets: dict[str, str] = field(default_factory=dict)
    """What the rows of a database are read in."""
    added: dict[str, list[TableIndex]] = field(default_factory=dict)
    """``database.table`` → indexes that it was given."""

    def published(self) -> list[Mapping[str, Any]]:
        return self.databases

    def check(self, folder: Path) -> None:
        open_source(folder)

    def ingest(self, folder: Path, ending: threading.Event) -> None:
        source = open_source(folder)
        metadata = json.loads((folder / "metadata.json").read_text())
        self.charsets[source.database] = metadata["charset_name"]
        self.ingested[source.database] = self.ingested.get(source.database, {}) | {
            " ".join([name, *([] if one.chunk is None else [str(one.chunk)]), *(["overlap"] * one.is_overlap)]):
            Path(one.path).read_text()
            for name, table in source.tables.items() for one in table.slices
        }  # fmt: skip
        tables = [{"name": name, "is_partitioned": int(table.layout.role.is_chunked)}
                  for name, table in source.tables.items()]  # fmt: skip
        before = [one for one in self.databases if one["database"] == source.database]
        self.databases = [one for one in self.databases if one not in before]
        content = {"database": source.database, "tables": [*(t for one in before for t in one["tables"]), *tables]}
        family = {
            "is_published": 1,
            "family_name": "layout_85_12",
            "num_stripes": 85,
            "num_sub_stripes": 12,
            "overlap": 0.01667,
        }
        self.databases.append(content | family)

    def rebuild_indexes(self, database: str) -> Mapping[str, int]:
        self.require_published(database)
        return {"Object": 1}

    def add_index(self, database: str, table: str, name: str, columns: Sequence[str], unique: bool) -> None:
        if "nothing" in columns:
            raise UserError(f"table '{table}' has no column 'nothing'", remedy="name one of the table")
        if unique and "decl" in columns:
            raise UserError(f"no unique index: 2 rows of {database}.{table} have decl 1.1", remedy="add another one")
        made, mine = TableIndex(name, tuple(columns), unique), self.added.setdefault(f"{database}.{table}", [])
        if made not in mine:
            mine.append(made)

    def drop_index(self, database: str, table: str, name: str) -> None:
        mine = self.added.get(f"{database}.{table}", [])
        if name not in [one.name for one in mine]:
            raise UserError(f"{table} has no index '{name}'")
        self.added[f"{database}.{table}"] = [one for one in mine if one.name != name]

    def indexes(self, database: str, table: str, overlap: bool) -> Sequence[TableIndex]:
        return self.added.get(f"{database}.{table}", [])

    def counted(self, database: str, table: str) -> Sequence[CountedRows]:
        rows = self.ingested[database].get(table)
        return [] if rows is None else [CountedRows(-1, False, rows.count("\n"))]

    def drop(self, database: str) -> None:
        del self.ingested[database]
        self.databases = [one for one in self.databases if one["database"] != database]

    def drop_table(self, database: str, table: str) -> None:
        self.require_published(database, [table])
        self.ingested[database] = {
            name: rows for name, rows in self.ingested[database].items() if name.split()[0] != table
        }
        self.databases = [
            {**one, "tables": [each for each in one["tables"] if each["name"] != table]}
            if one["database"] == database
            else one
            for one in self.databases
        ]

    def require_published(self, database: str, tables: Sequence[str] = ()) -> None:
        if database not in self.ingested:
            raise UserError(f"unknown database '{database}'")
        known = [table["name"] for one in self.databases if one["database"] == database for table in one["tables"]]
        if missing := [table for table in tables if table not in known]:
            raise UserError(f"there is no table {database}.{missing[0]}")


@dataclass
class PlayedUploads:
    """Takes tables, and gives back the rows of the first one."""

    names: Sequence[tuple[str, str]] = ()
    brought: Sequence[tuple[Table, Sequence[Sequence[Any]]]] = ()

    @contextlib.contextmanager
    def bring(self, tables: Mapping[str, tuple[Table, Sequence[Sequence[Any]]]]) -> Iterator[PlayedUploads]:
        yield PlayedUploads([("TAP_UPLOAD", f"u{place}") for place in range(len(tables))], list(tables.values()))

    @contextlib.contextmanager
    def open(self, sql: str) -> Iterator[PlayedAnswer]:
        table, rows = self.brought[0]
        arrays = [pa.array(values) for values in zip(*rows, strict=True)]
        made = pa.Table.from_arrays(arrays, names=table.column_names)
        yield PlayedAnswer(tuple(made.column_names), made.schema, iter(made.to_batches()))


@dataclass
class PlayedOverview:
    """What the page shows, as it was set; ``asked`` counts the calls, ``stopped`` are the keys of queries."""

    queries: list[RunningQuery] = field(default_factory=list)
    catalog_rows: int = 10
    is_lost: bool = False
    asked: int = 0
    stopped: list[str] = field(default_factory=list)

    def running(self) -> list[RunningQuery]:
        self.asked += 1
        if self.is_lost:
            raise ClusterError("the czar's server is gone: /a/secret/path")
        return self.queries

    def busy(self) -> dict[str, list[int]]:
        return {"sky": [7]}

    def nodes(self) -> list[NodeNow]:
        return [NodeNow("node1", "active", 100.0, 1, None, None, 2, 10, 80, 1.0, 1, None, None)]

    def catalogs(self) -> list[CatalogNow]:
        return [CatalogNow("sky", "published", ("dr1",), 1, self.catalog_rows, 80, 2, 1, 2, 1, 0, 50.0, ("Object",))]

    def transactions(self) -> list[TransactionNow]:
        return [TransactionNow(1, "sky", "aborted", "sky", 1, 10.0, 20.0, 0, 0, 0, "part-3.parquet: no column ra")]

    def benchmarks(self) -> list[BenchNow]:
        return []

    def sky(self, database: str, table: str) -> SkyNow:
        if (database, table) != ("sky", "Object"):
            raise UserError(f"unknown database '{database}'", remedy="choose sky")
        return SkyNow("sky", "Object", [6, 7], [0.0, 1.0], [1.0, 2.0], [0.0, 0.0], [1.0, 1.0], [4, 6], [1, 0])

    def story(self, subject: Subject, name: str) -> dict[str, Any]:
        if name != "1":
            raise UserError(f"no {subject} {name}", remedy="choose 1")
        facts = {"state": "completed", "statement": "SELECT 1 FROM Few", "database": "sky"}
        return {"subject": subject, "name": name, "facts": facts, "events": [], "notes": []}

    def stop(self, key: str) -> bool:
        self.stopped.append(key)
        return key != "99"


def played_tap(
    source: CatalogSource, own: PlayedOwnTables | None = None, folder: Path = Path("/nowhere")
) -> TapServices:
    """What TAP asks: real translation, other things played."""
    return TapServices(PlayedPublished(source), CzarAdql(), own or PlayedOwnTables(), PlayedUploads(), folder)


def played_services(queries: PlayedQueries, access: Access | None = None, tap: TapServices | None = None) -> Services:
    """All of them, of some statements."""
    tap = tap or played_tap(PlayedCatalogs())  # type: ignore[arg-type]
    return Services(
        queries, PlayedSubmissions(queries), PlayedCatalogs(), access or OpenAccess(), PlayedHealth(), PlayedMeasures(),
        tap, PlayedUserTables(), PlayedIngests(), NoServer(), PlayedOverview(),
    )  # fmt: skip
