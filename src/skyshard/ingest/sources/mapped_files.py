"""Finds the input files of a mapping's tables: by patterns, then by the runs that wrote them."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.mapping import MappedTable
from skyshard.ingest.sources.mapping import Mapping as MappingFile
from skyshard.ingest.sources.run_choice import NEWEST, choose_runs, require_runs, runs_of


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of one table, in the order of their names, and what is to be said about others that were found."""

    files: list[Path]
    notes: tuple[str, ...] = ()


def find_tables(path: Path, folder: Path, mapping: MappingFile, wanted: Iterable[str]) -> dict[str, TableFiles]:
    """The files of the wanted tables; a table without files that may be absent is left out.

    Raises:
        UserError: no file of a table that has to be there; a pattern that means two things; a run that is not there, or
            two runs that nothing orders.
    """
    found: dict[str, TableFiles] = {}
    for name in wanted:
        mapped, where = mapping.tables[name], f"'{path}', table '{name}'"
        files = _first_found(where, folder, mapped)
        if files.files:
            found[name] = files
        elif not mapped.optional:
            raise UserError(
                f"{where}: no file {' or '.join(mapped.files)} under '{folder}'",
                remedy="fix the path, or take the table out",
            )
    return found if mapping.runs is None else _of_runs(path, folder, mapping, mapping.runs, found)


def first_files(folder: Path, mapping: MappingFile, names: Iterable[str]) -> dict[str, Path]:
    """A file of each named table, where there is one; faults of these tables do not matter."""
    found = {}
    for name in names:
        with contextlib.suppress(UserError):
            if files := _first_found(name, folder, mapping.tables[name]).files:
                found[name] = files[0]
    return found


def _of_runs(
    path: Path, folder: Path, mapping: MappingFile, runs: str | Sequence[str], found: Mapping[str, TableFiles]
) -> dict[str, TableFiles]:
    """The files of the runs that count; a table without any of them is left out if it may be absent."""
    named = [] if runs == NEWEST else list(runs)
    require_runs(f"'{path}'", named, [run for files in found.values() for run in runs_of(folder, files.files)])
    chosen = {}
    for name, files in found.items():
        choice = choose_runs(f"'{path}', table '{name}'", folder, files.files, named)
        if choice.files:
            chosen[name] = TableFiles(choice.files, (*files.notes, *choice.notes))
        elif not mapping.tables[name].optional:
            raise UserError(
                f"'{path}', table '{name}': no file of the runs {', '.join(named)}",
                remedy="name a run that has it, or take the table out",
            )
    return chosen


def _first_found(where: str, folder: Path, mapped: MappedTable) -> TableFiles:
    """The files of the first patterns that find any; others that would have found some are named."""
    taken: list[Path] = []
    notes: list[str] = []
    for patterns in (tuple(mapped.files), *mapped.otherwise):
        files = _files(where, folder, patterns)
        if not taken:
            taken = files
        elif others := sorted(set(files).difference(taken)):
            notes.append(f"{len(others)} files {' or '.join(patterns)} left out, files of an earlier pattern are taken")
    return TableFiles(taken, tuple(notes))


def _files(where: str, folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files of some patterns, each once, in the order of their names; only what the mapping writes is a pattern.

    Raises:
        UserError: the name of a file or folder that is also the pattern of others; a link that leads nowhere.
    """
    found: set[Path] = set()
    for pattern in patterns:
        readings = _readings(folder, pattern)
        matched = _found(folder, pattern)
        named = set().union(*(_found(folder, reading) for reading in readings[1:]))
        if len(readings) > 1 and matched - named:
            kind, name = _named_step(pattern, readings[-1])
            raise UserError(
                f"{where}: '{name}' is a {kind}, and a pattern that finds '{min(matched - named)}'",
                remedy=f"write '{readings[-1]}' for the {kind}",
            )
        for path in sorted(matched | named):
            if not path.is_file() and not path.is_dir():
                raise UserError(f"{where}: '{path}' is no file, or a link to none", remedy="fix it, or take it away")
        found |= matched | named
    return sorted(path for path in found if path.is_file())


def _readings(folder: Path, pattern: str) -> list[str]:
    """The pattern, then what it says where the names of folders and files that are there mean themselves."""
    *folders, last = pattern.split("/")
    readings = [""]
    for step in folders:
        readings = [f"{reading}/" for reading in _extended(folder, readings, step, Path.is_dir)]
    return _extended(folder, readings, last, Path.is_file)


def _extended(folder: Path, readings: Sequence[str], step: str, is_kind: Callable[[Path], bool]) -> list[str]:
    spelled = [reading + glob.escape(step) for reading in readings if glob.has_magic(step)]
    there = [reading for reading in spelled if any(map(is_kind, _found(folder, reading)))]
    return [*(reading + step for reading in readings), *there]


def _found(folder: Path, pattern: str) -> set[Path]:
    return {folder / name for name in glob.glob(pattern, root_dir=folder, recursive=True)}


def _named_step(pattern: str, reading: str) -> tuple[str, str]:
    """Which part of the pattern the reading takes for a name: its kind, and the path to it."""
    steps = pattern.split("/")
    last = max(i for i, (step, read) in enumerate(zip(steps, reading.split("/"), strict=True)) if step != read)
    return "file" if last == len(steps) - 1 else "folder", "/".join(steps[: last + 1])
