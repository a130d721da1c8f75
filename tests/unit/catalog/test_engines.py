"""What layouts may ask of each engine, and the CREATE TABLE that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import Storage
from skyshard.catalog.layout import Layout, read_layout
from skyshard.catalog.schema import Column, Key, Table
from skyshard.rowimage.sqltype import parse_type

ROWS = Table("t", (Column("i", parse_type("int"), False),), ("i",), (Key("k", ("i",)),))
TEXTS = Table("t", (Column("b", parse_type("blob")),))
STRIPING = "striping: {stripes: 85, substripes: 12, overlap_deg: 0.1}"


def layout(engine: str, **storage: Any) -> Layout:
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.1}
    return Layout.model_validate({"striping": striping, "engine": engine, "storage": storage})


@pytest.mark.parametrize(
    ("engine", "storage", "options"),
    [
        ("MyISAM", {}, "ENGINE=MyISAM DEFAULT CHARSET=latin1 ROW_FORMAT=FIXED"),
        ("Aria", {}, "ENGINE=Aria DEFAULT CHARSET=latin1"),
        ("Aria", {"transactional": False}, "latin1 TRANSACTIONAL=0"),
        ("Aria", {"row_format": "page"}, "latin1 ROW_FORMAT=PAGE"),
        ("Aria", {"row_format": "dynamic"}, "latin1 ROW_FORMAT=DYNAMIC TRANSACTIONAL=0"),
        ("InnoDB", {}, "ENGINE=InnoDB DEFAULT CHARSET=latin1 STATS_PERSISTENT=0"),
        ("InnoDB", {"key_block_kib": 4}, "latin1 ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4 STATS_PERSISTENT=0"),
        ("InnoDB", {"page_compressed": 9}, "PAGE_COMPRESSED=1 PAGE_COMPRESSION_LEVEL=9 STATS_PERSISTENT=0"),
        ("MyRocks", {}, "ENGINE=ROCKSDB DEFAULT CHARSET=latin1"),
        ("MyRocks", {"compression": "zstd"}, "ENGINE=ROCKSDB DEFAULT CHARSET=latin1"),
    ],
)
def test_storage_is_said_in_create_table(engine: str, storage: dict[str, Any], options: str) -> None:
    """In MariaDB's words, behind the character set."""
    made = layout(engine, **storage)
    assert create_table(ROWS, "t", engine=made.table_engine).endswith(options)


def test_myrocks_names_a_family_at_every_key() -> None:
    """Of the two values one may be left to us; without any, keys are in the engine's own family."""
    text = create_table(ROWS, "t", engine=layout("MyRocks", compression="zstd", block_kib=16).table_engine)
    assert "PRIMARY KEY (`i`) COMMENT 'skyshard_zstd_16k'" in text
    assert "KEY `k` (`i`) COMMENT 'skyshard_zstd_16k'" in text
    assert layout("MyRocks", block_kib=64).table_engine.key_comment == "skyshard_snappy_64k"
    assert layout("MyRocks").table_engine.key_comment == ""


def test_fixed_rows_give_way_to_blobs() -> None:
    """As in MyISAM: a table with BLOBs has none."""
    made = layout("Aria", row_format="fixed").table_engine
    assert "ROW_FORMAT=FIXED" in create_table(ROWS, "t", engine=made)
    assert "ROW_FORMAT=DYNAMIC" in create_table(TEXTS, "t", engine=made)


@pytest.mark.parametrize(
    ("engine", "storage", "words"),
    [
        ("MyISAM", "{row_format: fixed}", "MyISAM has no row_format; it has no options of storage"),
        ("MyISAM", "{compression: zstd}", "MyISAM has no compression"),
        ("InnoDB", "{compression: zstd}", "InnoDB has no compression; it has row_format, key_block_kib, page_comp"),
        ("InnoDB", "{row_format: page}", "InnoDB has no row_format page; it has dynamic, compact, redundant, compr"),
        ("InnoDB", "{key_block_kib: 3}", "InnoDB has no key_block_kib 3; it has 1, 2, 4, 8, 16"),
        ("InnoDB", "{key_block_kib: 8, row_format: dynamic}", "key_block_kib goes with row_format compressed, not dyn"),
        ("InnoDB", "{page_compressed: 10}", "InnoDB has no page_compressed 10"),
        ("InnoDB", "{page_compressed: 6, key_block_kib: 8}", "page_compressed goes with row_format dynamic"),
        ("Aria", "{row_format: compressed}", "Aria has no row_format compressed"),
        ("Aria", "{row_format: fixed, transactional: true}", "Aria tables of row_format fixed are not transactional"),
        ("MyRocks", "{block_kib: 5}", "MyRocks has no block_kib 5"),
        ("MyRocks", "{page_kib: 5}", "storage.page_kib"),
        ("Memory", "{}", "engine"),
    ],
)
def test_what_an_engine_lacks_is_refused_by_name(tmp_path: Path, engine: str, storage: str, words: str) -> None:
    """With what it has instead; contradictions too."""
    path = tmp_path / "layout.yaml"
    path.write_text(f"version: 1\n{STRIPING}\nengine: {engine}\nstorage: {storage}\n")
    with pytest.raises(UserError) as caught:
        read_layout(path)
    assert words in str(caught.value)


def test_mariadbs_name_of_myrocks_is_known() -> None:
    """Both names are one engine."""
    assert layout("RocksDB") == layout("MyRocks")
    assert layout("ROCKSDB").storage == Storage()
