"""Asks MariaDB itself whether it takes the settings of all cells, before anything is made."""

from __future__ import annotations

from skyshard.basics.errors import UserError
from skyshard.bench.experiment.cells import Cell, Design, place_of
from skyshard.bench.experiment.experiment_file import ReadExperiment
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.settings import parse_settings
from skyshard.cluster.settings_check import check_names, check_values
from skyshard.host.memory import memory_bytes


def check_settings(read: ReadExperiment, design: Design) -> None:
    """Check each setting once, by itself; what servers refuse only together fails the trials of its cell.

    Raises:
        UserError: there is no MariaDB server, or one would not take a setting: file, line, the server's reason.
    """
    installation = find_mariadbd()
    memory, checked = memory_bytes(), set()
    for cell in design.cells:
        if cell.all.get("engine") == "MyRocks" and not installation.plugin_options:
            what = f"MariaDB {installation.version_text} has no engine MyRocks"
            raise read.fault(place_of(read, cell, "engine"), what, "run `make setup`, or drop the level")
        for name, value in cell.all.items():
            if name.startswith("set.") and (name, value) not in checked:
                checked.add((name, value))
                try:
                    for scope, settings in parse_settings([f"{name[4:]}={value}"], _servers(cell)).items():
                        is_node = scope != CZAR_NAME
                        check_names(installation, settings, is_node=is_node)
                        check_values(installation, settings, {}, memory, is_node=is_node)
                except UserError as error:
                    raise read.fault(place_of(read, cell, name), error.what, error.remedy) from None
        _refuse_two_names(read, cell)


def _servers(cell: Cell) -> list[str]:
    return [CZAR_NAME, *(f"node{number + 1}" for number in range(int(cell.all["nodes"])))]


def _refuse_two_names(read: ReadExperiment, cell: Cell) -> None:
    """One setting under two names, such as ``key-buffer-size`` and ``key_buffer_size``."""
    first: dict[object, str] = {}
    for name, value in cell.all.items():
        if name.startswith("set."):
            found = parse_settings([f"{name[4:]}={value}"], _servers(cell))
            plain = next((scope, one) for scope, settings in found.items() for one in settings)
            if plain in first:
                what = f"'{name}' and '{first[plain]}' are one setting"
                raise read.fault(place_of(read, cell, name), what, "keep one of the two")
            first[plain] = name
