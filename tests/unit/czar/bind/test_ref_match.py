"""Match tables of a server that has all copies in one table: each row once, by a condition where there is a place."""

from __future__ import annotations

import pytest
from tests.support import four_chunks
from tests.support.four_chunks import OBJECT, table
from tests.support.planned import bound_of

from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.czar.bind.ref_match import single_rows
from skyshard.czar.sql.dialect import render
from skyshard.registry.catalog.published_catalog import Catalog

ONCE = "(`m`.`flag` <> 2 OR (`m`.`objectId` IS NULL))"
ALONE = f"(SELECT * FROM `sky`.Pair AS `m` WHERE {ONCE} LIMIT {2**64 - 1}) AS `m`"


class Source(four_chunks.Source):
    """A director, and a match table whose layout names its flag."""

    def catalog(self, database: str) -> Catalog:
        match = TableLayout(
            role=Role.REF_MATCH, key="objectId", director="Object", key2="otherId", director2="Object", flag="flag"
        )
        tables = [
            table("Object", "objectId bigint, kind int", OBJECT),
            table("Pair", "objectId bigint, otherId bigint, flag tinyint", match),
        ]
        layout = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
        return Catalog(database, layout, {one.table.name: one for one in tables}, ("a", "b"))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT otherId FROM Pair m", f" FROM `sky`.Pair AS m WHERE {ONCE}"),
        ("SELECT otherId FROM Pair m WHERE flag = 1 OR otherId = 2", f" WHERE (flag = 1 OR otherId = 2) AND {ONCE}"),
        ("SELECT kind FROM Object o JOIN Pair m USING (objectId)", f" ON `o`.`objectId` = `m`.`objectId` WHERE {ONCE}"),
        (
            "SELECT kind FROM Object o LEFT JOIN Pair m ON kind = 1 OR m.otherId = o.objectId",
            f" LEFT JOIN `sky`.Pair AS m ON (kind = 1 OR m.otherId = o.objectId) AND {ONCE}",
        ),
        (
            "SELECT kind FROM Pair m RIGHT JOIN Object o ON m.objectId = o.objectId",
            f" RIGHT JOIN `sky`.Object AS o ON m.objectId = o.objectId AND {ONCE}",
        ),
        (
            "SELECT 1 FROM Object o LEFT JOIN (Pair m JOIN Object p USING (objectId)) ON m.objectId = o.objectId",
            f" ON m.objectId = o.objectId AND {ONCE}",
        ),
        ("SELECT kind FROM Object WHERE objectId IN (SELECT otherId FROM Pair m)", f" AS m WHERE {ONCE})"),
        ("SELECT 1 FROM Object UNION SELECT otherId FROM Pair m", f" AS m WHERE {ONCE}"),
        ("SELECT kind FROM Object o NATURAL LEFT JOIN Pair m", f" = `m`.`subChunkId`) AND {ONCE}"),
        ("SELECT * FROM Object o NATURAL LEFT JOIN Pair m", f" NATURAL LEFT JOIN {ALONE}"),
        (
            "SELECT 1 FROM Object o LEFT JOIN (Object p LEFT JOIN Pair m USING (objectId)) ON o.kind = p.kind",
            f" LEFT JOIN {ALONE} ON `p`.`objectId` = `m`.`objectId`) ON o.kind = p.kind",
        ),
    ],
)  # fmt: skip
def test_match_table_is_read_without_second_copies(sql: str, told: str) -> None:
    """By WHERE, by the ON of the one outer join, else by a derived table that no server merges."""
    text = render(single_rows(bound_of(sql, Source())).tree)
    assert text.endswith(told)
    assert text.count(ONCE) == 1
