"""Storage engines of chunk tables: what a layout may ask of each, and how CREATE TABLE says it. No I/O.

The words of the keys are MariaDB's own where it has one. What an engine lacks is refused, never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from skyshard.cluster.storage_plugins import BLOCKS_KIB, COMPRESSIONS, family_name

EngineName = Literal["MyISAM", "Aria", "InnoDB", "MyRocks"]
_SQL_NAMES = {"MyRocks": "ROCKSDB"}
_TAKES: dict[str, dict[str, tuple[Any, ...]]] = {
    "MyISAM": {},
    "Aria": {"row_format": ("page", "fixed", "dynamic"), "transactional": (True, False)},
    "InnoDB": {
        "row_format": ("dynamic", "compact", "redundant", "compressed"),
        "key_block_kib": (1, 2, 4, 8, 16),
        "page_compressed": tuple(range(1, 10)),
    },
    "MyRocks": {"compression": COMPRESSIONS, "block_kib": BLOCKS_KIB},
}
"""Engine → key → values."""
_ROCKS_COMPRESSION, _ROCKS_BLOCK_KIB = "snappy", 4
"""What MyRocks takes where a layout asks for one of the two only."""


class Storage(BaseModel):
    """How an engine keeps the chunk tables; what is not named is the engine's own default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row_format: Literal["page", "fixed", "dynamic", "compact", "redundant", "compressed"] | None = None
    """Aria: page, fixed, dynamic. InnoDB: dynamic, compact, redundant, compressed."""
    transactional: bool | None = None
    """Aria: pages survive a crash of the server; only with row_format page."""
    key_block_kib: int | None = None
    """InnoDB: size of a compressed page, 1 to 16; row_format compressed."""
    page_compressed: int | None = None
    """InnoDB: level 1 to 9 at which pages are compressed one by one; the file system must punch holes."""
    compression: Literal["none", "snappy", "lz4", "zlib", "zstd"] | None = None
    """MyRocks: how blocks of tables with a primary key are compressed, by a column family of their own."""
    block_kib: int | None = None
    """MyRocks: size of a block before compression, 4 to 64."""

    @property
    def named(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {key: value for key, value in self.model_dump().items() if value is not None}

    def fault(self, engine: EngineName) -> str:
        """Why an engine cannot keep tables like this, with what it can; empty if it can."""
        takes = _TAKES[engine]
        for key, value in self.named.items():
            if key not in takes:
                has = f"it has {', '.join(takes)}" if takes else "it has no options of storage"
                return f"{engine} has no {key}; {has}"
            if value not in takes[key]:
                return f"{engine} has no {key} {value}; it has {', '.join(map(_shown, takes[key]))}"
        if self.transactional and self.row_format not in (None, "page"):
            return f"Aria tables of row_format {self.row_format} are not transactional; leave one of the two out"
        is_compressed = self.row_format in (None, "compressed")
        if self.key_block_kib and not is_compressed:
            return f"key_block_kib goes with row_format compressed, not {self.row_format}; leave one of the two out"
        if self.page_compressed and (self.key_block_kib or self.row_format in ("compressed", "redundant")):
            return "page_compressed goes with row_format dynamic or compact only, without key_block_kib"
        return ""


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_DEFAULTS = Storage()


@dataclass(frozen=True, slots=True)
class TableEngine:
    """An engine and how it keeps tables, as CREATE TABLE says them."""

    name: str = "MyISAM"
    storage: Storage = _DEFAULTS

    @property
    def sql_name(self) -> str:
        """The name by which servers know the engine."""
        return _SQL_NAMES.get(self.name, self.name)

    def options(self, *, has_blob: bool) -> str:
        """What follows the character set in CREATE TABLE, with a space before it.

        >>> TableEngine("InnoDB", Storage(key_block_kib=8)).options(has_blob=False)
        ' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8 STATS_PERSISTENT=0'
        """
        words = _OPTIONS.get(self.name, _none)(self.storage, has_blob)
        return "".join(f" {word}" for word in words)

    @property
    def key_comment(self) -> str:
        """What is said at every key: MyRocks keeps each key in the column family that its comment names."""
        asked = self.storage
        if self.name != "MyRocks" or not asked.named:
            return ""
        return family_name(asked.compression or _ROCKS_COMPRESSION, asked.block_kib or _ROCKS_BLOCK_KIB)


def _none(storage: Storage, has_blob: bool) -> list[str]:
    return []


def _myisam(storage: Storage, has_blob: bool) -> list[str]:
    return [f"ROW_FORMAT={'DYNAMIC' if has_blob else 'FIXED'}"]


def _aria(storage: Storage, has_blob: bool) -> list[str]:
    row_format = "dynamic" if has_blob and storage.row_format == "fixed" else storage.row_format
    is_safe = storage.transactional
    if is_safe is None and row_format in ("fixed", "dynamic"):
        is_safe = False
    found = [f"ROW_FORMAT={row_format.upper()}"] if row_format else []
    return found if is_safe is None else [*found, f"TRANSACTIONAL={int(is_safe)}"]


def _innodb(storage: Storage, has_blob: bool) -> list[str]:
    row_format = storage.row_format or ("compressed" if storage.key_block_kib else None)
    found = [f"ROW_FORMAT={row_format.upper()}"] if row_format else []
    if storage.key_block_kib:
        found.append(f"KEY_BLOCK_SIZE={storage.key_block_kib}")
    if storage.page_compressed:
        found += ["PAGE_COMPRESSED=1", f"PAGE_COMPRESSION_LEVEL={storage.page_compressed}"]
    # Statistics are sampled when a table is opened. Kept ones would be computed behind every load, twice its work.
    return [*found, "STATS_PERSISTENT=0"]


_OPTIONS = {"MyISAM": _myisam, "Aria": _aria, "InnoDB": _innodb}
MYISAM = TableEngine()
