"""The files of tables in a server's data folder: how they are called, how large they are, and which belong to none."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from skyshard.cluster.accounts import SCRATCH_DATABASE

TABLE_ENDINGS = (".MYD", ".MYI", ".frm", ".MAD", ".MAI", ".ibd", ".MRG")
"""What the files of a table end in: data, indexes and definition of the engines that layouts may name."""
_NUMBERS = itertools.count()
_DEVICE = re.compile(r"aux|con|prn|nul|com[1-9]|lpt[1-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """The data folder of one server; ``path`` is absolute."""

    path: Path

    def database(self, database: str) -> Path:
        """The folder of a database."""
        return self.path / file_name(database)

    def data_file(self, database: str, table: str) -> Path:
        """The data file of a MyISAM table; its other files differ in the suffix only."""
        return self.database(database) / f"{file_name(table)}.MYD"

    def table_bytes(self, database: str, table: str) -> int:
        """Size of a table's files, whatever its engine."""
        base, total = str(self.database(database) / file_name(table)), 0
        for ending in TABLE_ENDINGS:
            with suppress(FileNotFoundError):
                total += os.stat(base + ending).st_size
        return total

    def leftovers(self, database: str, tables: Iterable[str], prefix: str = "") -> list[Path]:
        """Files of a database that belong to none of its tables, and texts of LOAD DATA that a killed load left.

        Args:
            prefix: only those of tables whose name begins like this.
        """
        known = {file_name(name) for name in tables}
        begin = file_name(prefix).removesuffix("@@@")  # the tail that a whole name may get
        inside = [path for path in self.database(database).glob(f"{begin}*") if not _belongs(path.name, known)]
        texts = self.database(SCRATCH_DATABASE).glob(f"load-{file_name(database)}-{begin}*")
        return sorted([*inside, *texts])

    def load_file(self, database: str, table: str) -> Path:
        """Where this process writes the text that LOAD DATA reads into a table: where ``secure-file-priv`` lets it."""
        return self.database(SCRATCH_DATABASE) / f"load-{file_name(database)}-{file_name(table)}-{os.getpid()}.tsv"

    def text_file(self, database: str, table: str) -> Path:
        """Where the server writes rows of a table as text: a file that is not there yet, swept like that of a load."""
        return self.load_file(database, table).with_suffix(f".{next(_NUMBERS)}.tsv")


@lru_cache(maxsize=4096)
def file_name(name: str) -> str:
    """A database or table name of ASCII letters as the server spells it in file names.

    Names of devices get a tail, so that the same folder would do elsewhere.

    >>> file_name("Object_6630"), file_name("a-b"), file_name("con"), file_name("con_6630")
    ('Object_6630', 'a@002db', 'con@@@', 'con_6630')
    """
    if _DEVICE.fullmatch(name):
        return f"{name}@@@"
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else f"@{ord(c):04x}" for c in name)


def _belongs(file: str, tables: Collection[str]) -> bool:
    """True for a file that the server keeps: the database's options, or a table's."""
    stem, dot, ending = file.partition(".")
    return file == "db.opt" or (stem in tables and dot + ending in TABLE_ENDINGS)
