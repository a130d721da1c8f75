"""Plays a drawn history on a cluster and, row by row, on one plain MariaDB; lists every difference between the two.

The plain server gets its rows by INSERT from the texts of the input and its statements as they are written, so nothing
of ours but the server is on both sides.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pymysql
import yaml
from tests.support.history_sky import History, Rows, Step
from tests.support.history_statements import Statement, statements
from tests.support.killing import forget
from tests.support.raw_server import RawAnswer, RawServer, difference_to_raw
from tests.support.stepping import Fuse, Stopped, stop

from skyshard.basics.errors import Refusal, UserError
from skyshard.cluster.cluster import MONO_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed

STEPS_OF_AN_INGEST = 120
"""More or less; one that is to be interrupted later comes to its end."""


class Player:
    """Plays one history once. ``wrong`` is what differs, ``counts`` how statements were answered."""

    def __init__(self, cluster: PrivateCluster, folder: Path, history: History, statements_a_step: int) -> None:
        self.history = history
        self.wrong: list[str] = []
        self.counts = Counter[str]()
        self.refused: list[str] = []
        self._cluster = cluster
        self._folder = folder
        self._asked = statements_a_step
        self._name = f"h{uuid.uuid4().hex[:8]}"
        self._done: set[int] = set()
        self._current: dict[str, bool | None] = {}
        self._testbed = Testbed(cluster.folder)

    def play(self) -> None:
        """All steps; stops at the first after which something is wrong."""
        try:
            self._make_plain()
            for place, step in enumerate(self.history.steps):
                self._take(step)
                if self._current:
                    self._check(place, step)
                if self.wrong:
                    return
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self._clean()

    # steps

    def _take(self, step: Step) -> None:
        match step.kind:
            case "ingest" | "abort" | "stop":
                self._bring(step)
            case "again" if step.number in self._done:
                for database in self._parts(step.rows):
                    assert self._testbed.ingest(self._path(step.number, database)).transaction == 0
            case "compact":
                for database in self._current:
                    self._testbed.compact(database, grace_s=step.grace_s)
            case "rebuild":
                for database in self._current:
                    self._testbed.rebuild_indexes(database)
            case "mono":
                for database in self._current:
                    self._testbed.load_mono(database)
                    self._current[database] = True
            case "restart":
                self._testbed.close()
                self._cluster.stop()
                self._cluster.start()
                self._cluster.start_mono()
                self._testbed = Testbed(self._cluster.folder)

    def _bring(self, step: Step) -> None:
        """Ingest a source, to the end or not; what comes in comes into the plain tables, too."""
        if step.number in self._done:
            return
        parts = self._parts(step.rows)
        for database, rows in parts.items():
            self._write(step.number, database, rows)
        is_whole = step.kind != "ingest" and self._is_whole(step)
        if step.kind != "ingest" and not is_whole:
            found = self._testbed.registry.transactions.find_open(self._name)
            if step.kind == "abort" and found is not None:
                self._testbed.abort_transaction(found.id)
            return
        for database in parts:
            options = {} if is_whole and database == self._name else self._options(step)
            self._testbed.ingest(self._path(step.number, database), **options)
            self._current[database] = False if any(parts[database].values()) else None
        self._done.add(step.number)
        self._insert(step.rows)

    def _is_whole(self, step: Step) -> bool:
        """Interrupt the ingest into the first database somewhere; whether it came to its end before that."""
        fuse = Fuse(1 + int(step.share * STEPS_OF_AN_INGEST))
        source = self._path(step.number, self._name)
        before = len(self._testbed.registry.transactions.all(self._name))
        with contextlib.suppress(Stopped):
            stop(self._testbed, source, self._name, fuse, **self._options(step))
        found = self._testbed.registry.transactions.all(self._name)[before:]
        return any(row["state"] == "finished" for row in found)

    def _options(self, step: Step) -> dict[str, Any]:
        return {"loader": Loader(step.loader)} if step.loader else {}

    # sources

    def _parts(self, rows: Rows) -> dict[str, Rows]:
        """The rows by database."""
        made: dict[str, Rows] = {}
        for table, some in rows.items():
            made.setdefault(self._database(table), {})[table] = some
        return made

    def _database(self, table: str) -> str:
        return f"{self._name}_more" if self.history.schema.tables[table].is_elsewhere else self._name

    def _path(self, number: int, database: str) -> Path:
        return self._folder / self._name / f"{database}-{number}" / "mapping.yaml"

    def _write(self, number: int, database: str, rows: Rows) -> None:
        schema = self.history.schema
        path = self._path(number, database)
        path.parent.mkdir(parents=True, exist_ok=True)
        tables: dict[str, Any] = {}
        for name, some in rows.items():
            drawn = schema.tables[name]
            lines = [",".join(drawn.columns), *(",".join(map(_field, row)) for row in some)]
            (path.parent / f"{name}{number}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
            declared = [
                {"name": column, "type": kind.removesuffix(" not null"), "nullable": "not null" not in kind}
                for column, kind in drawn.columns.items()
            ]
            tables[name] = {**drawn.layout, "files": [f"{name}{number}.csv"], "declare": declared}
            if drawn.is_elsewhere:
                tables[name]["director"] = f"{self._name}.{drawn.layout['director']}"
        layout = {"version": 1, "striping": schema.striping, "engine": schema.engine, "replicas": schema.replicas}
        (path.parent / "layout.yaml").write_text(yaml.safe_dump(layout))
        content = {"version": 1, "database": database, "layout": "./layout.yaml", "tables": tables}
        path.write_text(yaml.safe_dump(content))

    # the plain server

    def _make_plain(self) -> None:
        self._cluster.start_mono()
        with self._plain() as server:
            server.execute(f"CREATE DATABASE {self._name}_plain CHARACTER SET latin1")
            for name, drawn in self.history.schema.tables.items():
                columns = [*(f"{column} {kind}" for column, kind in drawn.columns.items())]
                server.execute(f"CREATE TABLE {self._name}_plain.{name} ({', '.join(columns)})")

    def _plain(self) -> Any:
        return connect(self._cluster.endpoint(MONO_NAME), Account.ADMIN)

    def _insert(self, rows: Rows) -> None:
        with self._plain() as server:
            for name, some in rows.items():
                values = ", ".join(f"({', '.join(map(_literal, row))})" for row in some)
                if values:
                    server.execute(f"INSERT INTO {self._name}_plain.{name} VALUES {values}")

    # answers

    def _check(self, place: int, step: Step) -> None:
        """Everything verifies, and statements are answered as the plain server answers them."""
        where = f"step {place} ({step.kind})"
        for database in self._current:
            bad = [check for check in self._testbed.verify(database) if not check.is_good]
            self.wrong += [f"{where}: {database}: {check}" for check in bad]
        raw = RawServer(self._cluster.endpoint(MONO_NAME), f"{self._name}_plain")
        try:
            seed = f"{self.history.seed} {place} {step.kind} {step.number}"
            for statement in statements(self.history, seed, self._asked):
                if self._is_there(statement.sql):
                    self.wrong += [f"{where}: {text}: {statement.sql}" for text in self._compare(raw, statement)]
        finally:
            raw.close()

    def _tables(self, sql: str) -> set[str]:
        return {name for name in self.history.schema.tables if re.search(rf"\b{name}\b", sql)}

    def _is_there(self, sql: str) -> bool:
        """Tables that have not come yet are asked for by nobody."""
        catalogs = {name: self._testbed.registry.published.catalog(name) for name in self._current}
        return all(
            (database := self._database(name)) in catalogs and name in catalogs[database].tables
            for name in self._tables(sql)
        )

    def _named(self, sql: str) -> str:
        """Tables of the second database with its name before theirs."""
        elsewhere = [name for name in self._tables(sql) if self.history.schema.tables[name].is_elsewhere]
        for name in elsewhere:
            sql = re.sub(rf"\b{name}\b", f"{self._database(name)}.{name}", sql)
        return sql

    def _compare(self, raw: RawServer, statement: Statement) -> list[str]:
        sql = self._named(statement.sql)
        try:
            right = raw.answer(statement.plain)
        except pymysql.Error as error:
            self.counts[f"plain: {error.args[0]}"] += 1
            return []
        found = [self._ours(sql, right, "czar", statement.is_ordered), self._explained(sql)]
        used = {self._current[self._database(name)] for name in self._tables(sql)}
        if used == {True}:
            found.append(self._ours(sql, right, "mono", statement.is_ordered))
        elif False in used:
            found.append(self._refused(sql))
        return [text for text in found if text]

    def _ours(self, sql: str, right: RawAnswer, target: Any, is_ordered: bool) -> str:
        try:
            result = self._testbed.query(sql, database=self._name, target=target)
        except Refusal as refusal:
            self.counts[f"refused: {refusal.code}"] += 1
            self.refused.append(f"{refusal}: {sql}")
            return ""
        except Exception as error:
            return f"{target}: {type(error).__name__}: {error}"
        self.counts[target] += 1
        found = difference_to_raw(result, right, is_ordered=is_ordered)
        return f"{target}: {found}" if found else ""

    def _explained(self, sql: str) -> str:
        try:
            self._testbed.explain(sql, database=self._name)
        except Refusal:
            pass
        except Exception as error:
            return f"explain: {type(error).__name__}: {error}"
        return ""

    def _refused(self, sql: str) -> str:
        """The oracle does not answer from less than is published."""
        try:
            self._testbed.query(sql, database=self._name, target="mono")
        except UserError:
            return ""
        return "mono: answers although a transaction came after its load"

    def _clean(self) -> None:
        with self._plain() as server:
            for name in (self._name, f"{self._name}_more", f"{self._name}_plain"):
                server.execute(f"DROP DATABASE IF EXISTS {name}")
        for name in (f"{self._name}_more", self._name):
            forget(self._testbed, name)
        self._testbed.close()


def _field(value: str | None) -> str:
    return r"\N" if value is None else f'"{value}"' if value == "" else value


def _literal(value: str | None) -> str:
    """As SQL that names every letter, whatever the session's character set."""
    if value is None:
        return "NULL"
    is_number = bool(re.fullmatch(r"-?\d+(\.\d+)?", value))
    return value if is_number else f"_utf8mb4 X'{value.encode().hex()}'"
