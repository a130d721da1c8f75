"""Which MariaDB server to run: found, never installed here (``tools/bootstrap.sh`` does that).

Order: the unpacked tree that $SKYSHARD_MARIADB_ROOT names; an installed server on $SKYSHARD_MARIADB_SEARCH (folders
split by ``:``; default PATH, then /usr/sbin and /usr/local/sbin); the tree unpacked as ``.mariadb`` in the checkout.

The storage engine MyRocks is a plugin: the server's own where it has one, else that of the same version unpacked as
``.mariadb-plugins/VERSION`` in the checkout, or in the folder that $SKYSHARD_MARIADB_PLUGINS names.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.cluster.storage_plugins import ROCKS_PLUGIN, rocks_options
from skyshard.host.shipped_data import checkout

ROOT_VARIABLE = "SKYSHARD_MARIADB_ROOT"
SEARCH_VARIABLE = "SKYSHARD_MARIADB_SEARCH"
PLUGINS_VARIABLE = "SKYSHARD_MARIADB_PLUGINS"
OLDEST = (10, 6)
BINARIES = ("mariadbd", "mysqld")
SYSTEM_TABLES = ("mariadb_system_tables.sql", "mysql_system_tables.sql")
REMEDY = "run `make setup` in the checkout, or install Debian's mariadb-server-core (10.6 or newer)"


@dataclass(frozen=True, slots=True)
class Installation:
    """A server binary and the folders it needs; ``libraries`` is empty for a server that the system installed."""

    binary: Path
    version: tuple[int, ...]
    base: Path
    share: Path
    plugins: Path
    libraries: tuple[Path, ...] = ()

    @property
    def plugin_options(self) -> list[str]:
        """What a node's server is started with for the storage engines that are there as plugins."""
        return rocks_options() if (self.plugins / ROCKS_PLUGIN).is_file() else []

    @property
    def system_tables(self) -> Path:
        """The statements that make the system tables, as the server package ships them."""
        return next(self.share / name for name in SYSTEM_TABLES if (self.share / name).is_file())

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a server process: this process's, with the unpacked tree's libraries."""
        found = dict(os.environ)
        if self.libraries:
            known = [found["LD_LIBRARY_PATH"]] if found.get("LD_LIBRARY_PATH") else []
            found["LD_LIBRARY_PATH"] = os.pathsep.join([*map(str, self.libraries), *known])
        return found


def find_mariadbd() -> Installation:
    """The first usable server; UserError with the reason for each one passed over when there is none."""
    reasons: list[str] = []
    for binary, tree in _candidates():
        found = _examine(binary, tree)
        if isinstance(found, Installation):
            return found
        reasons.append(found)
    raise UserError(f"no MariaDB server: {', '.join(reasons) or 'none found'}", remedy=REMEDY)


def _candidates() -> Iterator[tuple[Path, Path | None]]:
    """Server binaries that exist, best first, each with its unpacked tree or None."""
    root = os.environ.get(ROOT_VARIABLE)
    if root:
        yield from _in_tree(Path(root).resolve())
        return
    folders = os.environ.get(SEARCH_VARIABLE)
    if folders is None:
        folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for folder in dict.fromkeys(filter(None, folders.split(os.pathsep))):
        for name in BINARIES:
            if os.access(Path(folder) / name, os.X_OK):
                yield Path(folder) / name, None
    project = checkout()
    if project:
        yield from _in_tree(project / ".mariadb")


def _in_tree(tree: Path) -> Iterator[tuple[Path, Path]]:
    for folder in ("usr/sbin", "usr/bin", "sbin", "bin"):
        for name in BINARIES:
            if os.access(tree / folder / name, os.X_OK):
                yield tree / folder / name, tree


def _examine(binary: Path, tree: Path | None) -> Installation | str:
    """The installation around a binary, or why it cannot be used."""
    base = binary.resolve().parent.parent
    shares = [base / "share" / name for name in ("mariadb", "mysql", "")]
    share = next((one for one in shares if any((one / name).is_file() for name in SYSTEM_TABLES)), None)
    if share is None:
        return f"{binary} comes without its system tables ({SYSTEM_TABLES[-1]})"
    libraries = _libraries(tree) if tree else ()
    plugins = next((p for p in (base / "lib/mysql/plugin", base / "lib/plugin") if p.is_dir()), base / "lib/plugin")
    unproven = Installation(binary, (), base, share, plugins, libraries)
    version = _version(unproven)
    if version is None:
        return f"{binary} does not run as a MariaDB server"
    if version < OLDEST:
        return f"{binary} is MariaDB {'.'.join(map(str, version))}, older than 10.6"
    return _with_plugins(replace(unproven, version=version))


def _with_plugins(found: Installation) -> Installation:
    """The installation with the plugins that were unpacked for it, where it has none of its own."""
    if (found.plugins / ROCKS_PLUGIN).is_file():
        return found
    project, named = checkout(), os.environ.get(PLUGINS_VARIABLE)
    trees = [Path(named).resolve()] if named else []
    trees += [project / ".mariadb-plugins"] if project else []
    for tree in trees:
        tree = tree / found.version_text
        folder = tree / "usr/lib/mysql/plugin"
        if (folder / ROCKS_PLUGIN).is_file():
            return replace(found, plugins=folder, libraries=(*found.libraries, *_libraries(tree)))
    return found


def _libraries(tree: Path) -> tuple[Path, ...]:
    folders = [*tree.glob("usr/lib/*-linux-*"), *tree.glob("lib/*-linux-*"), tree / "usr/lib", tree / "lib"]
    return tuple(folder for folder in folders if folder.is_dir())


def _version(installation: Installation) -> tuple[int, ...] | None:
    command = [str(installation.binary), "--no-defaults", "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, env=installation.environment, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Ver (\d+)\.(\d+)\.(\d+)-MariaDB", answer.stdout)
    return tuple(map(int, found.groups())) if found and answer.returncode == 0 else None
