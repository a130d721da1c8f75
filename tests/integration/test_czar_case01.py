"""Real input: the golden answers, and every query file, of Qserv's case01."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.golden_answers import SHARED, difference, golden_answers, golden_statements
from tests.support.same_answer import rows_in

from skyshard.basics.errors import Refusal, UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.run.both_ways import VARIABLE
from skyshard.testbed import Testbed

CATALOG = SHARED / "qserv-case01"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CATALOG.is_dir(), reason="../shared/data/qserv-case01 is not here"),
]
DATABASE = "case01"
REFUSED_ON_PURPOSE = {
    "unsupported_syntax/1052_nnSimilarColors.sql": "pairs-beyond-overlap",
    "unsupported_syntax/3012_similarObject.sql": "pairs-beyond-overlap",
    "unsupported_syntax/3016_selectAllPairsWithinDistance.sql": "pairs-beyond-overlap",
}


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(private_cluster.folder) as made:
        made.ingest(CATALOG, database=DATABASE)
        made.load_mono(DATABASE)
        yield made


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return golden_answers()


@pytest.mark.parametrize(("name", "sql"), golden_statements())
def test_golden_answer(testbed: Testbed, expected: dict[str, str], name: str, sql: str) -> None:
    """The answer is the one that Qserv's ingest test expects."""
    if name not in expected:
        pytest.skip(f"no golden answer for query {name}")
    assert difference(testbed, DATABASE, sql, expected[name]) == ""


def test_golden_answers_are_the_same_by_columns(
    testbed: Testbed, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, by columns wherever that is proven; each such one as rows, too, and the two are compared."""
    testbed.columns.build(DATABASE)
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(testbed.czar, "scan", "columns")
    before = testbed.czar.column_bytes
    asked = [(name, sql) for name, sql in golden_statements() if name in expected]
    wrong = {name: found for name, sql in asked if (found := difference(testbed, DATABASE, sql, expected[name]))}
    assert wrong == {}
    assert testbed.czar.column_bytes > before


def rendered(text: str, *, is_distributed: bool) -> str:
    """A query file as the one or the other engine is asked: ``-- withQserv`` and ``-- noQserv`` lines."""
    out = []
    for line in (line.strip() for line in text.split("\n")):
        if line.startswith("-- withQserv"):
            out += [line[13:]] if is_distributed else []
        elif line.endswith("-- noQserv"):
            out += [] if is_distributed else [line[:-10]]
        elif line and not line.startswith("--"):
            out.append(line)
    return " ".join(out).replace("{DBTAG_A}", f"{DATABASE}.")


@pytest.mark.parametrize(
    "path", sorted((CATALOG / "queries").rglob("*.sql")), ids=lambda path: str(path.relative_to(CATALOG / "queries"))
)
def test_query_file_is_answered_as_by_one_server(testbed: Testbed, path: Path) -> None:
    """What the oracle answers, the czar answers equally; pairs beyond the overlap are refused on purpose."""
    text, name = path.read_text(errors="replace"), str(path.relative_to(CATALOG / "queries"))
    distributed = rendered(text, is_distributed=True)
    if name in REFUSED_ON_PURPOSE:
        with pytest.raises(Refusal) as refusal:
            testbed.query(distributed, database=DATABASE)
        assert refusal.value.code == REFUSED_ON_PURPOSE[name]
        return
    try:
        want = testbed.query(rendered(text, is_distributed=False), database=DATABASE, target="mono")
    except UserError as error:
        pytest.skip(f"the oracle does not answer it: {error}")
    got = testbed.query(distributed, database=DATABASE)
    assert got.table.schema.types == want.table.schema.types
    one, other = (sorted(map(_line, rows_in(result.table))) for result in (got, want))
    assert one == other


def _line(row: tuple[object, ...]) -> str:
    return repr([f"{value:.9e}" if isinstance(value, float) else value for value in row])
