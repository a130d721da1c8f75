"""LSDB over HATS catalogs of the same rows: the query engine of astronomers' notebooks. Needs the extra ``lsdb``.

Queries are given in the LSDB form that templates have besides their SQL (``lsdb_form``). Catalogs are opened once with
the columns that an operation needs, as in a notebook; a query lasts until the Arrow table of its answer is there.
Without workers dask computes in threads of this process; with workers, in that many processes of one thread.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.bench.target import TargetAnswer
from skyshard.bench.targets.hats_catalogs import (
    PARTITION_ROWS,
    HatsOptions,
    catalog_tables,
    index_folder,
    provide_catalogs,
)
from skyshard.bench.workload.lsdb_form import FORM, JoinCall, LsdbCall, MatchCall
from skyshard.catalog.layout import Role
from skyshard.catalog.synth_manifest import read_manifest

NEIGHBOURS = 8
"""Neighbours that a cross-match asks for at first; doubled until no row has that many."""
LEFT, RIGHT = "_left", "_right"
SUFFIXES: dict[str, Any] = {"suffixes": (LEFT, RIGHT), "suffix_method": "all_columns"}
PACKAGES = ("lsdb", "hats", "hats-import", "nested-pandas", "dask")
OPTIONS = {"hats": "folder of the HATS catalogs", "workers": "processes", "partition_rows": "rows of a partition"}
"""Options of the target, as in ``lsdb:FOLDER?workers=2``."""


def open_lsdb(rest: str, watcher: Watcher = unwatched) -> LsdbTarget:
    """Open ``FOLDER?hats=DIR&workers=N&partition_rows=N``; catalogs are kept in ``FOLDER/hats`` by default.

    Raises:
        UserError: an unknown option, or not a number where one is needed.
    """
    folder, _, query = rest.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(given) - set(OPTIONS)):
        raise UserError(f"target lsdb has no option '{unknown[0]}'", remedy=f"use one of: {', '.join(OPTIONS)}")
    workers, rows = (_whole(given, name) for name in ("workers", "partition_rows"))
    hats = Path(given["hats"]) if given.get("hats") else Path(folder) / "hats"
    return LsdbTarget(Path(folder), HatsOptions(hats, rows or PARTITION_ROWS), workers, watcher)


def _whole(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "0")
    if not text.isdecimal():
        raise UserError(f"target lsdb: {name} is '{text}', not a whole number", remedy=f"write {name}=2")
    return int(text)


class LsdbTarget:
    """HATS catalogs in one folder; each query is computed separately."""

    name = "lsdb"
    form = FORM

    def __init__(self, sky: Path, options: HatsOptions, workers: int = 0, watcher: Watcher = unwatched) -> None:
        try:
            import hats_import  # noqa: F401
            import lsdb
        except ImportError:
            raise UserError("target lsdb: the package is missing", remedy="pip install 'skyshard[lsdb]'") from None
        self._lsdb: Any = lsdb
        self._sky, self._folder, self._workers = sky, options.folder, workers
        self._manifest = read_manifest(sky)
        self._record = provide_catalogs(sky, self._manifest, options, watcher)
        self._tables = catalog_tables(self._manifest)
        self._stack = ExitStack()
        self._opened: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="nested_pandas")
        # a dependent's rows are in their director's partition, so a join needs no margin
        warnings.filterwarnings("ignore", message="Right catalog does not have a margin cache")
        if workers:
            from dask.distributed import Client

            client = Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            self._stack.callback(client.close)

    def run(self, sql: str, database: str) -> TargetAnswer:
        """Compute an ``LsdbCall``, given as JSON."""
        call = LsdbCall.model_validate_json(sql)
        try:
            return TargetAnswer.of(self._ask(call))
        except Exception as error:  # any error of LSDB, dask or Arrow is a failure of the engine
            raise ClusterError(f"lsdb: {' '.join(f'{type(error).__name__}: {error}'.split())[:300]}") from None

    def count(self, table: str) -> int:
        return self._manifest.tables[table].rows

    def sample(self, table: str, columns: Sequence[str], key: str, modulus: int, residue: int) -> pa.Table:
        """Read from the Parquet files of the synthetic catalog."""
        files = [str(self._sky / file.path) for file in self._manifest.tables[table].files]
        rows = pads.dataset(files, format="parquet").to_table(columns=list(dict.fromkeys([key, *columns])))
        keys = rows[key].to_numpy()
        found = rows.filter(pa.array(keys % modulus == residue))
        return _select(found, columns)

    def describe(self) -> Mapping[str, object]:
        return {
            "engine": "LSDB",
            "packages": {name: version(name) for name in PACKAGES},
            "scheduler": f"{self._workers} processes of one thread" if self._workers else "threads",
            "partitions": {
                name: len(self._open(name, [table.key]).get_healpix_pixels()) for name, table in self._tables.items()
            },
            "partition_rows": self._record.partition_rows,
            "margin_arcsec": self._record.margin_arcsec,
            "import_s": self._record.elapsed_s,
        }

    def close(self) -> None:
        self._stack.close()

    def _ask(self, call: LsdbCall) -> pa.Table:
        if call.match is not None:
            return self._matched(call, call.match)
        if call.counts_all:
            return _number(len(self._open(call.table, [self._tables[call.table].key])))
        rows = self._restricted(call)
        if call.join is not None:
            return self._joined(call, rows, call.join)
        found = _arrow(_computed(rows))
        return _number(found.num_rows) if call.count else _select(found, call.columns)

    def _restricted(self, call: LsdbCall) -> Any:
        """The rows of the call's table, not computed yet."""
        is_keyed = call.id is not None or call.join is not None or call.match is not None
        rows = self._open(call.table, [*([call.key] if is_keyed else []), *call.columns, *_names_in(call.where)])
        if call.id is not None:
            rows = self._found_by_id(rows, call)
        rows = _within(rows, call)
        return rows.query(call.where) if call.where else rows

    def _found_by_id(self, rows: Any, call: LsdbCall) -> Any:
        """Like LSDB's ``id_search``, without the line that it prints."""
        import hats
        from lsdb.core.search.index_search import IndexSearch

        index = self._kept(("index", call.table), lambda: hats.read_hats(index_folder(self._folder, call.table)))
        return rows.search(IndexSearch({call.key: call.id}, {call.key: index}))

    def _joined(self, call: LsdbCall, rows: Any, join: JoinCall) -> pa.Table:
        others = self._open(join.table, [*join.columns, join.on, *_names_in(join.where)])
        others = others.query(join.where) if join.where else others
        found = _pairs(lambda: rows.join(others, left_on=call.key, right_on=join.on, **SUFFIXES))
        return _pair_answer(call, join.columns, found)

    def _matched(self, call: LsdbCall, match: MatchCall) -> pa.Table:
        """All pairs within the area; LSDB limits neighbours of a row; the limit is raised until no row reaches it."""
        left, right = self._restricted(call), _within(self._open(match.table, [*match.columns, match.key]), call)
        options = {"radius_arcsec": match.radius_arcsec, "require_right_margin": True, **SUFFIXES}
        neighbours = NEIGHBOURS
        while (found := _pairs(partial(left.crossmatch, right, n_neighbors=neighbours, **options))) is not None:
            keys = found[f"{call.key}{LEFT}"], found[f"{match.key}{RIGHT}"]
            if most_of_one(keys[0]) < neighbours:
                found = found.filter(pc.not_equal(*keys)) if match.is_other else found
                break
            neighbours *= 2
        return _pair_answer(call, match.columns, found)

    def _open(self, table: str, columns: Sequence[str]) -> Any:
        """A catalog with these columns and its position; opened once."""
        position = self._manifest.tables[table].position if table in self._tables else None
        needed = tuple(dict.fromkeys([*columns, *(position if position and self._is_director(table) else ())]))
        return self._kept((table, needed), lambda: self._lsdb.open_catalog(self._folder / table, columns=list(needed)))

    def _is_director(self, table: str) -> bool:
        return self._tables[table].role is Role.DIRECTOR

    def _kept(self, key: Any, make: Any) -> Any:
        with self._lock:
            if key not in self._opened:
                self._opened[key] = make()
            return self._opened[key]


def _within(rows: Any, call: LsdbCall) -> Any:
    """The rows in the area of a call. As in the SQL, an area restricts both tables of a match."""
    if call.cone is not None:
        rows = rows.cone_search(*call.cone)
    if call.box is not None:
        rows = rows.box_search(ra=call.box[:2], dec=call.box[2:])
    return rows


def most_of_one(keys: pa.ChunkedArray) -> int:
    """How often the most frequent value occurs."""
    return max(pc.value_counts(keys).field("counts").to_pylist(), default=0) if len(keys) else 0


def _names_in(where: str) -> list[str]:
    """Columns named in a condition that ``lsdb_form`` wrote, which holds names, signs, ``and`` and numbers."""
    return [word for word in where.split() if word.isidentifier() and word != "and"]


def _pairs(make: Callable[[], Any]) -> pa.Table | None:
    """The rows of a join or a cross-match; None where LSDB refuses it because the two share no partition."""
    try:
        return _arrow(_computed(make()))
    except RuntimeError as error:
        if "do not overlap" not in str(error):
            raise
        return None


def _pair_answer(call: LsdbCall, others: Sequence[str], found: pa.Table | None) -> pa.Table:
    names = [*(f"{name}{LEFT}" for name in call.columns), *(f"{name}{RIGHT}" for name in others)]
    if call.count:
        return _number(0 if found is None else found.num_rows)
    return _select(pa.table({name: pa.nulls(0) for name in names}) if found is None else found, names)


def _computed(catalog: Any) -> Any:
    return catalog.compute(progress_bar=False)


def _arrow(frame: Any) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def _select(found: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns in the order of the answer, with numbers as names, since names may repeat."""
    return pa.Table.from_arrays([found[name] for name in names], names=[f"c{n}" for n in range(len(names))])


def _number(rows: int) -> pa.Table:
    return pa.table({"n": pa.array([rows], pa.int64())})
