"""Backup of the registry: the czar's server is the one thing that is single.

``dump`` writes all that only the czar's server holds into one file, ``restore`` brings it back; ``rebuild`` makes it
anew of the records that nodes keep. Both look afterwards at what nodes really have, and say what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.backup.dump import Dumped as Dumped
    from skyshard.backup.dump import dump_registry as dump_registry
    from skyshard.backup.found_tables import FoundTables as FoundTables
    from skyshard.backup.place import BackupPlace as BackupPlace
    from skyshard.backup.rebuild import Rebuilt as Rebuilt
    from skyshard.backup.rebuild import rebuild_registry as rebuild_registry
    from skyshard.backup.restore import Restored as Restored
    from skyshard.backup.restore import restore_registry as restore_registry
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "BackupPlace": "place",
            "Dumped": "dump",
            "FoundTables": "found_tables",
            "Rebuilt": "rebuild",
            "Restored": "restore",
            "dump_registry": "dump",
            "rebuild_registry": "rebuild",
            "restore_registry": "restore",
        },
    )
