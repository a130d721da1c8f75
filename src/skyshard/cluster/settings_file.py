"""What users chose for a cluster: ``settings.json`` in its folder, absent where nothing was chosen.

A change writes the file twice: first what it goes for, beside what holds; then what holds. Killed between the two, it
leaves a file that says so, and the next start takes the change back (``change_settings``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from skyshard.basics.errors import UserError
from skyshard.basics.scan_way import ScanWay
from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings import (
    NODES,
    ByScope,
    ClusterDescription,
    ServerSettings,
    parse_settings,
    require_plain,
    require_scope,
)
from skyshard.host.atomic_files import write_atomically
from skyshard.host.file_versions import refuse_newer

FILE = "settings.json"
VERSION: Final = 1
WITH_SCAN: Final = 2
"""The version of a file that says how scans are answered: earlier releases would not follow it."""


class Chosen(BaseModel):
    """What users chose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1, 2] = VERSION
    """Of this file's format."""
    name: str = ""
    """Of the cluster, as its cluster file says."""
    settings: ServerSettings = ServerSettings()
    pending: ServerSettings | None = None
    """What a change goes for that has not come to its end."""
    scan: ScanWay = "auto"
    """How scans are answered where a query does not say."""

    def after(
        self, words: Sequence[str], described: ClusterDescription | None, servers: Sequence[str]
    ) -> tuple[Chosen, ByScope]:
        """What is chosen once a cluster file and settings were given on top, and the settings that were named.

        Args:
            words: ``[SERVER:]NAME=VALUE``.
            described: what a cluster file says; its settings replace all.
            servers: the names of the cluster's servers.

        Raises:
            UserError: a setting for a server that the cluster lacks, or that may not be chosen.
        """
        more = parse_settings(words, servers)
        if described is None:
            return self.model_copy(update={"settings": self.settings.changed(more)}), more
        for scope, of_scope in described.settings.items():
            for name in of_scope:
                require_scope(scope, name, (NODES, *servers))
        settings = ServerSettings().changed(described.settings).changed(more)
        return self.model_copy(update={"name": described.name, "settings": settings}), settings.by_scope


def read_chosen(folder: Path) -> Chosen:
    """What was chosen for the cluster in a folder.

    Raises:
        UserError: the file is torn, or of a later release.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_bytes())
        refuse_newer(content, (VERSION, WITH_SCAN), str(file))
        chosen = Chosen.model_validate(content)
        for settings in filter(None, (chosen.settings, chosen.pending)):
            require_plain(settings)
    except FileNotFoundError:
        return Chosen()
    except (OSError, ValueError, SettingError) as error:  # pydantic's error is a ValueError
        raise UserError(
            f"{file} is not readable as settings: {_reason(error)}",
            remedy="bring the file back, or remove it to go on with the defaults",
        ) from None
    return chosen


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"key '{'.'.join(map(str, first['loc'])) or 'top level'}': {first['msg']}"
    return " ".join(str(error).split())


def write_chosen(folder: Path, chosen: Chosen) -> None:
    """Replace the file in one step; it is on disk when this returns."""
    chosen = chosen.model_copy(update={"version": VERSION if chosen.scan == "auto" else WITH_SCAN})
    excluded = {"scan"} if chosen.scan == "auto" else set()
    write_atomically(folder / FILE, chosen.model_dump_json(indent=2, exclude=excluded) + "\n", is_synced=True)
