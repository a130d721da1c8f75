"""Of files that several runs wrote of one dataset, the one that counts. No I/O.

Rules: a run that the mapping names goes before those named after it. Where runs are not named, the newest counts: by
the time that ends a run's name, else by the weekly in it. Two runs that neither order puts apart are refused. Files
whose paths are not Butler's are all taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.butler_paths import ButlerPath, DatasetId, read_butler_path, timestamp_of, weekly_of

NEWEST = "newest"
_ORDERS: tuple[Callable[[str], str], ...] = (timestamp_of, weekly_of)


@dataclass(frozen=True, slots=True)
class RunChoice:
    """The files that are taken, and what is to be said about those that are not."""

    files: list[Path]
    notes: tuple[str, ...] = ()


def choose_runs(where: str, folder: Path, files: Sequence[Path], named: Sequence[str]) -> RunChoice:
    """Take one file of each dataset.

    Args:
        where: how errors name the table.
        folder: the root of the export.
        named: names of runs, or of folders in them, the one that goes first first; empty for the newest.

    Raises:
        UserError: two runs wrote a dataset and nothing orders them.
    """
    paths = {file: found for file in files if (found := read_butler_path(file, folder)) is not None}
    wanted = {file: path for file, path in paths.items() if not named or _rank(path.run, named) < len(named)}
    unnamed = Counter(path.run for file, path in paths.items() if file not in wanted)
    datasets: dict[DatasetId, list[Path]] = {}
    for file, path in wanted.items():
        datasets.setdefault(path.dataset, []).append(file)
    taken = {_chosen(where, several, wanted, named) for several in datasets.values()}
    kept = Counter(wanted[file].run for file in taken)
    older = Counter(path.run for file, path in wanted.items() if file not in taken)
    left = [file for file in files if file not in paths or file in taken]
    return RunChoice(left, _notes(kept, older, unnamed))


def require_runs(where: str, named: Sequence[str], found: Sequence[str]) -> None:
    """Refuse the name of a run of which there is no file.

    Raises:
        UserError: names the run, and those that are there.
    """
    for name in named:
        if not any(_holds(run, name) for run in found):
            known = sorted(set(found))
            more = f" and {len(known) - 5} more" if len(known) > 5 else ""
            raise UserError(
                f"{where}: no file of run '{name}'",
                remedy=f"there are {', '.join(known[:5]) or 'no runs'}{more}; fix the name, or take it out of 'runs'",
            )


def runs_of(folder: Path, files: Sequence[Path]) -> list[str]:
    """The run of each file that has one."""
    return [found.run for file in files if (found := read_butler_path(file, folder)) is not None]


def _chosen(where: str, files: list[Path], paths: dict[Path, ButlerPath], named: Sequence[str]) -> Path:
    """The file that counts of several of one dataset."""
    first = min(_rank(paths[file].run, named) for file in files)
    files = [file for file in files if _rank(paths[file].run, named) == first]
    if len(files) == 1:
        return files[0]
    for order in _ORDERS:
        places = [order(paths[file].run) for file in files]
        if all(places) and places.count(max(places)) == 1:
            return files[places.index(max(places))]
    one, two = sorted(files)[:2]
    raise UserError(
        f"{where}: {paths[one].dataset} is in run '{paths[one].run}' and in run '{paths[two].run}', which neither time "
        "nor weekly orders",
        remedy="name the runs under 'runs', the one that goes first first",
    )


def _rank(run: str, named: Sequence[str]) -> int:
    """The place of a run among the named ones; their number where it is none of them."""
    return next((place for place, name in enumerate(named) if _holds(run, name)), len(named))


def _holds(run: str, name: str) -> bool:
    """A run is meant by its whole name, and by folders in it: ``w_2026_24/DM-24822``."""
    return f"/{name.strip('/')}/" in f"/{run}/"


def _notes(kept: Counter[str], older: Counter[str], unnamed: Counter[str]) -> tuple[str, ...]:
    if len(kept) <= 1 and not older and not unnamed:
        return ()
    notes = [f"run {run}: {kept[run]} files taken" for run in sorted(kept)]
    notes += [f"run {run}: {older[run]} files left out, a later run has their datasets" for run in sorted(older)]
    notes += [f"run {run}: {unnamed[run]} files left out, the run is not named" for run in sorted(unnamed)]
    return tuple(notes)
