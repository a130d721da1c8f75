"""The grammar is MariaDB's: what it does not read is refused, and what it reads means the same to the czar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tests.support.mutated_statements import mutated
from tests.support.statement_cases import read_cases
from tests.support.trouble_sky import DATABASE, Sky, build_sky

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.parameters import Draws, draw
from skyshard.bench.workload.query_template import parse_header, read_template, wanted_columns
from skyshard.bench.workload.schema_names import read_schema_file
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.sql.dialect import DIALECT, render
from skyshard.czar.sql.statement import SelectStatement, parse_statement
from skyshard.db.connection import Account, Connection, connect, quote_text
from skyshard.host.shipped_data import data_folder

pytestmark = pytest.mark.integration

CASES = [case.sql for case in read_cases((Path(__file__).parents[1] / "cases" / "statements.sql").read_text())]
SYNTAX = 1064
MUTANTS = 300
"""Of each seed."""
PLACES = (
    "SELECT 1 {0}", "SELECT 'x' {0}", "SELECT q.{0} FROM (SELECT 1 AS `{0}`) q",
    "SELECT {0}.a FROM (SELECT 1 AS a) {0}",
    "SELECT -{0}, {0} * 2 FROM (SELECT 1 AS `{0}`) q ORDER BY {0}", "SELECT {0} IS NULL FROM (SELECT 1 AS `{0}`) q",
    "SELECT {0}.a FROM (SELECT 1 AS a) {0} JOIN (SELECT 1 AS b) r", "SELECT a FROM (SELECT 1 AS a) {0} WHERE a = 1",
    "SELECT a FROM (SELECT 1 AS a) {0} LEFT JOIN (SELECT 2 AS b) r ON a = b",
    "SELECT {0} FROM (SELECT 1 AS `{0}`) q GROUP BY {0} HAVING {0} = 1",
)  # fmt: skip
"""Where a name may stand."""
NO_NAMES = {"ANY", "BINARY", "CHARSET", "LATERAL", "MOD", "NOT", "SELECT", "UNIQUE", "WINDOW", "_GB18030"}
NO_NAMES |= {"SQL_BUFFER_RESULT", "SQL_NO_CACHE"}
"""Words of the parser's own that are refused in some places where MariaDB takes them for names."""


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[Sky]:
    made = build_sky(private_cluster)
    yield made
    made.close()


@pytest.fixture
def server(sky: Sky, private_cluster: PrivateCluster) -> Iterator[Connection]:
    with connect(private_cluster.endpoint("mono"), Account.READER) as connection:
        connection.execute(f"USE {DATABASE}")
        yield connection


def code_of(error: SkyshardError) -> int:
    return int(getattr(error.__cause__, "args", (0,))[0])


def is_read(server: Connection, sql: str) -> bool:
    """Whether a server's grammar knows a statement, whatever it names."""
    try:
        server.execute(f"PREPARE one FROM {quote_text(sql)}")
    except UserError as error:
        return code_of(error) != SYNTAX
    return True


@pytest.mark.parametrize("seed", [1, 2])
def test_what_one_server_cannot_read_is_refused(sky: Sky, server: Connection, seed: int) -> None:
    """Clauses dropped, doubled and out of order, and words of other SQLs: an error, and no answer."""
    random, wrong, answered = Random(seed), 0, []
    for _ in range(MUTANTS):
        sql = mutated(random.choice(CASES), random)
        if is_read(server, sql):
            continue
        wrong += 1
        try:
            sky.czar.explain(sql, DATABASE)
        except UserError:
            continue
        answered.append(sql)
    assert wrong > MUTANTS / 3
    assert answered == []


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("SELECT kind FROM Object GROUP BY kind WHERE ra > 1", "column 39 near 'WHERE ra > 1'"),
        ("SELECT FROM Object", "column 8 near 'FROM Object'"),
        ("SELECT name, 'é', 'α'\nFROM FROM Object", "line 2, column 6 near 'FROM Object'"),
        ("SELECT kind FROM Object LIMIT", "syntax error"),
        ("SELECT COUNT (*) FROM FROM Object", "column 23 near 'FROM Object'"),
        ("SELECT ra FROM Object WHERE name ILIKE 'a%' ; ", "near 'ILIKE 'a%'"),
        ("SELECT ra, rows FROM Object WHERE 'rows' = name AND rows > 0", "as a name write it in backticks, `rows`"),
        ("SELECT ra FROM Object WHERE 'é' = name QUALIFY ra > 1", "near 'QUALIFY ra > 1'"),
    ],
)
def test_a_syntax_error_says_where(sky: Sky, sql: str, where: str) -> None:
    """Of czar and oracle, with the words that stand there."""
    for target in (sky.czar, sky.mono):
        with pytest.raises(UserError) as error:
            target.execute(sql, DATABASE)
        assert where in f"{error.value}; {error.value.remedy}"
        assert "syntax error" in str(error.value)


def test_names_that_many_catalogs_have_need_no_backticks(sky: Sky, server: Connection) -> None:
    """Of czar and oracle; in texts and behind a dot the words stay as they are."""
    bare = "SELECT Match.objectId, decl AS dec, 'dec, Match' AS t FROM Object AS Match ORDER BY dec DESC, 1 LIMIT 5"
    quoted = "SELECT objectId, decl AS d, 'dec, Match' AS t FROM Object AS m ORDER BY d DESC, 1 LIMIT 5"
    right = [tuple(row) for row in server.rows(quoted)]
    assert len(right) == 5
    for target in (sky.czar, sky.mono):
        found = target.execute(bare, DATABASE)
        assert found.columns == ("objectId", "dec", "t")
        assert [tuple(row.values()) for row in found.table.to_pylist()] == right


@pytest.mark.parametrize("name", ["indeé", "éor", "eécept", "currentédate", "é"])
def test_a_letter_beyond_ascii_makes_no_word_of_sql(sky: Sky, name: str) -> None:
    """Whatever stands for it where the grammar is asked."""
    for target in (sky.czar, sky.mono):
        found = target.execute(f"SELECT MAX(objectId) AS {name} FROM Object {name}", DATABASE)
        assert found.columns == (name,)


def answer(server: Connection, sql: str) -> list[Any] | None:
    try:
        return list(server.rows(sql))
    except UserError:
        return None


def test_words_of_other_languages_are_names(server: Connection) -> None:
    """SELECT ra NOTNULL names its column: all words of the parser's, wherever a name may stand."""
    words = {word for word in DIALECT.tokenizer_class.KEYWORDS if word.replace("_", "").isalnum()}
    words |= {str(word) for (word,) in server.rows("SELECT WORD FROM information_schema.KEYWORDS") if word.isalpha()}
    words |= {"ASOF", "FULL", "GLOB", "ILIKE", "ISNULL", "NOTNULL", "OVERLAPS", "QUALIFY", "ROLLBACK", "TABLESAMPLE"}
    refused, other, same = set(), [], 0
    for sql, word in ((place.format(word), word) for word in sorted(words) for place in PLACES):
        if (want := answer(server, sql)) is None:
            continue
        try:
            statement = parse_statement(sql)
        except UserError:
            refused.add(word)
            continue
        assert isinstance(statement, SelectStatement)
        got = answer(server, render(statement.tree))
        same += got == want
        if got is None:
            refused.add(word)
        elif got != want:
            other.append(sql)
    assert same > 2000
    assert (other, refused - NO_NAMES) == ([], set())


@pytest.mark.parametrize("schema", ["synth", "kpm", "dp1", "hsc"])
def test_every_shipped_template_is_read_by_the_server(server: Connection, schema: str) -> None:
    """Whatever a schema calls its columns: ``dec``, of DP1's DiaObject, is a word of MariaDB's."""
    folder, names = data_folder("queries", "sql"), read_schema_file(data_folder("queries", "schemas"), schema)
    paths = [path for path in folder.glob("*/*.sql") if schema in parse_header(path.read_text(), path).schemas]
    assert len(paths) > 10
    unread = []
    for path in sorted(paths):
        template = read_template(folder, f"{path.parent.name}/{path.stem}", names)
        draws = Draws.of(DataProfile.example(wanted_columns([template])), np.random.default_rng(1))
        sql = template.render(draw(template.header.parameters, draws))
        if not is_read(server, sql):
            unread.append(sql[:200])
    assert unread == []
