"""What is asked of a database that exists is what it has, or is refused by name; nothing is passed over in silence."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.csv_catalog import OBJECT, STRIPING, director, table, write_mapping, write_table
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed


@dataclass
class Catalog:
    """A published catalog: how it was asked for, and how to ask for it otherwise."""

    folder: Path
    cluster: PrivateCluster
    database: str = field(default_factory=lambda: f"x{uuid.uuid4().hex[:10]}")

    def tables(self, **changes: Any) -> dict[str, Any]:
        follow = {"role": "dependent", "director": "Object", "key": "id"}
        made = {
            "Object": director(OBJECT | {"kind": "int"}),
            "Source": table({"id": "bigint", "n": "int", "t": "text"}, files="Source*.csv", **follow),
            "Filter": table({"n": "int"}, files="Filter*.csv"),
        }
        return {name: content | changes.get(name, {}) for name, content in made.items()}

    def ingest(self, *options: str, content: dict[str, Any] | None = None, **changes: Any) -> tuple[int, str]:
        """By the command line: exit code, and what it says."""
        path = write_mapping(self.folder, self.database, self.tables(**changes), **(content or {}))
        asked = ["ingest", str(path), "--runtime", "inline", "--cluster", str(self.cluster.folder), *options]
        result = CliRunner().invoke(app, asked)
        if isinstance(result.exception, UserError):
            return result.exception.exit_code, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout

    def layout(self, **content: Any) -> str:
        path = self.folder / "other.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "striping": STRIPING} | content))
        return str(path)

    def add_rows(self, number: int) -> None:
        ids = range(10 * number, 10 * number + 10)
        write_table(self.folder, f"Object{number}", [*OBJECT, "kind"], [(i, 3.0 * i, 10, i) for i in ids])
        write_table(self.folder, f"Source{number}", ["id", "n", "t"], [(i, i, f"t{i}") for i in ids])


@pytest.fixture
def catalog(tmp_path: Path, private_cluster: PrivateCluster) -> Catalog:
    made = Catalog(tmp_path, private_cluster)
    made.add_rows(1)
    write_table(tmp_path, "Filter1", ["n"], [(1,), (2,)])
    code, words = made.ingest()
    assert code == 0, words
    return made


ELSEWHERE = "or ingest under another --database"
ASKED: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "replicas": (["--replicas", "2"], {}, "has 1 copies of each chunk, where 2 are asked for; ask for replicas 1"),
    "loader": (["--loader", "load-data"], {}, "has all rows of the source, loaded by image; nothing is left to"),
    "stripes": ([], {"content": {"striping": STRIPING | {"stripes": 20}}}, "has 18 stripes, .* the source 20 stripes"),
    "overlap": ([], {"content": {"striping": STRIPING | {"overlap_deg": 0.5000001}}}, "the source .*overlap 0.5000001"),
    "column": ([], {"Filter": table({"n": "bigint"}, files="Filter*.csv")}, r"column 'n' int, which is 'n' bigint in"),
    "more": ([], {"Filter": {**table({"n": "int", "m": "int"}, files="Filter*.csv"), "allow_missing": True}},
             r"columns \['n'\], which is \['n', 'm'\]"),
    "primary": ([], {"Source": {"primary_key": ["n"]}}, r"column 'n' int, which is 'n' int NOT NULL in the source"),
    "position": ([], {"Source": {"indexes": [["n"]]}}, r"indexes \[\], which is \[\['n'\]\] in the source"),
    "orphans": ([], {"Source": {"orphans": "refuse"}}, "orphans 'keep', which is 'refuse' in the source"),
    "role": ([], {"Filter": {"role": "dependent", "director": "Object", "key": "n"}}, "role 'regular', which is"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("has_news", [False, True])
def test_what_differs_is_refused_by_name(testbed: Testbed, catalog: Catalog, kind: str, has_news: bool) -> None:
    """With rows to add or without, what is asked and not so is refused; the database stays as it was."""
    options, changes, words = ASKED[kind]
    if has_news:
        catalog.add_rows(2)
    before = testbed.registry.transactions.all(catalog.database)
    code, said = catalog.ingest(*options, **changes)
    if kind == "loader" and has_news:  # it is honoured for the rows that are new
        assert (code, [row["state"] for row in testbed.registry.transactions.all(catalog.database)]) == (
            0,
            ["finished"] * 2,
        )
        assert [check for check in testbed.verify(catalog.database) if not check.is_good] == []
        assert testbed.query("SELECT * FROM Object", database=catalog.database).rows == 20
        return
    assert code == 2, said
    assert re.search(words, said), said
    assert ELSEWHERE in said
    assert testbed.registry.transactions.all(catalog.database) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"replicas": 2}, "has 1 copies of each chunk, where 2 are asked for"),
        ({"engine": "Aria"}, "has MyISAM as its engine, where Aria is asked for"),
        ({"striping": STRIPING | {"substripes": 2}}, "has 18 stripes, 4 sub-stripes"),
        ({"tables": {"Source": {"role": "dependent", "director": "Object", "key": "n"}}}, "key 'id', which is 'n'"),
        ({}, ""),
        ({"replicas": 1, "engine": "MyISAM"}, ""),
    ],
)
def test_a_layout_file_is_what_the_database_has(catalog: Catalog, content: dict[str, Any], words: str) -> None:
    """``--layout`` is compared whole; one that says what is so already, or nothing of it, is taken."""
    code, said = catalog.ingest("--layout", catalog.layout(**content))
    assert (code, words or "nothing new" in said) == ((2, words) if words else (0, True))
    assert words in said


def test_the_same_again_is_no_error(testbed: Testbed, catalog: Catalog) -> None:
    """Asked for as it is, or without a word, a database that has all rows has nothing new, and takes new ones."""
    for options in ([], ["--replicas", "1"], ["--loader", "image"], ["--tables", "Filter", "--loader", "image"]):
        assert catalog.ingest(*options)[0] == 0
    catalog.add_rows(2)
    assert "published" in catalog.ingest("--replicas", "1")[1]
    assert testbed.registry.published.catalog(catalog.database).tables["Source"].rows == 20


def test_new_rows_take_the_engine_that_the_database_has(
    testbed: Testbed, tmp_path: Path, private_cluster: PrivateCluster
) -> None:
    """The engine needs not be said again; other rows are loaded as it wants them."""
    catalog = Catalog(tmp_path, private_cluster)
    catalog.add_rows(1)
    write_table(tmp_path, "Filter1", ["n"], [(1,)])
    assert catalog.ingest("--layout", catalog.layout(engine="Aria"))[0] == 0
    catalog.add_rows(2)
    assert "published" in catalog.ingest()[1]
    assert [check for check in testbed.verify(catalog.database) if not check.is_good] == []
    assert testbed.query("SELECT n FROM Source", database=catalog.database).rows == 20


def test_a_way_of_shrinking_is_a_recipes(catalog: Catalog) -> None:
    """What is in files cannot be made with fewer rows, so that this option is refused too."""
    code, said = catalog.ingest("--shrink", "thinning")
    assert (code, "is not a recipe" in said) == (2, True)


def test_two_copies_stay_two(testbed: Testbed, tmp_path: Path, private_cluster: PrivateCluster) -> None:
    """What was asked for at first needs not be said again, and one copy is then refused."""
    catalog = Catalog(tmp_path, private_cluster)
    catalog.add_rows(1)
    write_table(tmp_path, "Filter1", ["n"], [(1,)])
    assert catalog.ingest("--replicas", "2")[0] == 0
    catalog.add_rows(2)
    assert catalog.ingest()[0] == 0
    copies = {(r.target, r.part): 0 for r in testbed.registry.replicas.all(catalog.database) if r.chunk >= 0}
    for replica in testbed.registry.replicas.all(catalog.database):
        if replica.chunk >= 0:
            copies[replica.target, replica.part] += 1
    assert set(copies.values()) == {2}
    assert catalog.ingest("--replicas", "1")[0] == 2


def test_a_new_table_like_one_of_ours_is_refused(catalog: Catalog) -> None:
    """A table that a later transaction brings must not be called like chunk tables of those that are there."""
    path = write_mapping(catalog.folder, catalog.database, {"Object_7": table({"n": "int"}, files="Filter*.csv")})
    asked = ["ingest", str(path), "--runtime", "inline", "--cluster", str(catalog.cluster.folder)]
    result = CliRunner().invoke(app, asked)
    assert "table 'Object_7' has a name that chunk tables of 'Object' have" in str(result.exception)
