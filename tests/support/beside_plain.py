"""One statement asked of the czar and, in the very same words, of plain MariaDB: what came of it, and what differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pymysql
from tests.support.plain_templates import Statement
from tests.support.raw_server import RawAnswer, RawServer, difference_to_raw, kind_of
from tests.support.same_answer import fold, folded

from skyshard.basics.errors import Refusal, UserError
from skyshard.basics.scan_way import ScanWay
from skyshard.czar.result.answer import QueryResult
from skyshard.testbed import Testbed

DEPEND_ON_WAYS = {1690, 1242, 1139}
"""Errors of some rows: a number out of range, a subquery of two rows, a broken pattern; who meets none answers."""


@dataclass(slots=True)
class BesidePlain:
    """``counts``: how statements ended; ``refused``: those that plain MariaDB answers; ``faults``: what is wrong."""

    testbed: Testbed
    raw: RawServer
    database: str
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    columns: int = 0
    """Chunks that were answered by columns."""

    def ask(self, statement: Statement, scan: ScanWay) -> None:
        found = self._compare(statement, scan)
        if found:
            self.faults.append(f"{found}\n    {scan}: {statement.sql}")

    def _compare(self, statement: Statement, scan: ScanWay) -> str:
        try:
            want: RawAnswer | pymysql.MySQLError = self.raw.answer(statement.plain)
        except pymysql.MySQLError as error:
            want = error
        try:
            with self.testbed.czar.open(statement.sql, self.database, scan=scan, is_whole=True) as answer:
                table = answer.table()
                self.columns += answer.running.column_chunks
                got = QueryResult(answer.columns, table, answer.stats())
        except UserError as error:
            if isinstance(want, RawAnswer):
                code = f"refused {error.code}" if isinstance(error, Refusal) else "refused without a code"
                self.counts[code] += 1
                self.refused.append(f"{error}\n    {statement.sql}")
            else:
                self.counts["wrong"] += 1
            return ""
        except Exception as error:
            return f"{type(error).__name__}: {error}; plain: {want if isinstance(want, Exception) else 'answers'}"
        if not isinstance(want, RawAnswer):
            if want.args[0] in DEPEND_ON_WAYS:
                self.counts["any order"] += 1
                return ""
            return f"an answer where plain MariaDB says {want}"
        self.counts[str(got.stats.kind)] += 1
        if statement.sql != statement.plain:  # an item with an area is called by its text
            want = replace(want, names=got.columns)
        return difference(got, want, is_ordered=statement.is_ordered)


def difference(got: QueryResult, want: RawAnswer, *, is_ordered: bool) -> str:
    """Names, classes of types, rows; which of several texts that are equal stands for them is any server's choice."""
    kinds = tuple(map(kind_of, got.table.schema.types))
    if kinds != want.kinds:
        return f"types {kinds} instead of {want.kinds}"
    found = difference_to_raw(got, want, is_ordered=is_ordered)
    if not found:
        return ""
    rows = tuple(tuple(map(_folded, row, kinds)) for row in want.rows)
    return difference_to_raw(folded(got), replace(want, rows=rows), is_ordered=is_ordered) and found


def _folded(cell: bytes | None, kind: str) -> bytes | None:
    if cell is None or kind != "text":
        return cell
    return fold(cell.decode("cp1252", "replace")).encode("cp1252", "replace")
