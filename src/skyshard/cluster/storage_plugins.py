"""Storage engines that servers load as plugins: MyRocks, with the options it needs at its start. No I/O.

MyRocks keeps each index in a column family, which decides compression and size of blocks. Families are declared when a
server starts, and an index names its own in its comment; so all are declared that a layout may ask for.
"""

from __future__ import annotations

ROCKS_SETTINGS = "rocksdb_"
"""What the names of its settings begin with; a server without the plugin passes over them."""
ROCKS_PLUGIN = "ha_rocksdb.so"
SHARED_FOLDERS = ("#rocksdb",)
"""In the data folder, with the tables of all databases."""
BLOCKS_KIB = (4, 8, 16, 32, 64)
_COMPRESSIONS = {
    "none": "kNoCompression",
    "snappy": "kSnappyCompression",
    "lz4": "kLZ4Compression",
    "zlib": "kZlibCompression",
    "zstd": "kZSTD",
}
COMPRESSIONS = tuple(_COMPRESSIONS)


def family_name(compression: str, block_kib: int) -> str:
    """Name of the column family with these blocks.

    >>> family_name("zstd", 16)
    'skyshard_zstd_16k'
    """
    return f"skyshard_{compression}_{block_kib}k"


def rocks_options() -> list[str]:
    """What a server is started with that has the plugin. A server that has it not passes over the plugin's options."""
    families = ";".join(_family(how, kib) for how in COMPRESSIONS for kib in BLOCKS_KIB)
    return [
        f"plugin-load-add={ROCKS_PLUGIN}",
        f"loose-rocksdb-override-cf-options={families}",
        "loose-rocksdb-large-prefix=ON",
        # A server that was killed while it made a table would otherwise begin without the engine.
        "loose-rocksdb-validate-tables=2",
        # Keys of text are for finding rows only; other engines do not ask for a binary collation either.
        "loose-rocksdb-strict-collation-check=OFF",
    ]


def _family(how: str, kib: int) -> str:
    word = _COMPRESSIONS[how]
    blocks = f"block_based_table_factory={{block_size={kib << 10}}}"
    return f"{family_name(how, kib)}={{compression={word};bottommost_compression={word};{blocks}}}"
