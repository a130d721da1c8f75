"""What travels between director and nodes."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from typing import Any, get_type_hints

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column, Table
from skyshard.node import messages
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.node_loader import NodeLoader
from skyshard.rowimage.sqltype import parse_type

TABLE = Table("t", (Column("i", parse_type("int")),))
SLICE = messages.BundleSlice("bundle", 0, 3)
BUILD = messages.TableBuild("t_1", "t", 1, False, 0, "CREATE TABLE", (SLICE,), 3, "3:00")
SAMPLES: list[Any] = [
    SLICE,
    BUILD,
    messages.BuildOrder("sky", TABLE, messages.Loader.IMAGE, (BUILD,)),
    messages.MadeFiles("/data/t_1.MYD", "00", "01"),
    messages.BuiltTable("t_1", 3, 12, "3:00"),
    messages.MergeTableOrder("sky", TABLE, "MyISAM", {"t_1_g2": ("t_1", "t_1_p2")}),
    messages.RepairOrder("sky", ("t_1",), "index"),
    messages.DigestOrder("sky", TABLE, ("t_1",)),
    messages.TableDigest("t_1", 3, "3:00"),
    messages.ExportOrder("sky", TABLE, "t_1", "file.arrow"),
    messages.RowsOrder("sky", TABLE, ("t_1", "t_2"), ("i",)),
    messages.ShownTable("t_1", ("t_1",), 3),
    messages.ImagedTable("t_1", 1, 0, 3, "3:00"),
    messages.ColumnsOrder("sky", "t", TABLE, False, ("i",), (messages.ImagedTable("t_1", 1, 0, 3, "3:00"),)),
    messages.MadeColumns("rows.arrow", 3, 400, {"t_2": "torn"}),
    messages.SegmentFacts("rows.arrow", "t", 400, "torn"),
    messages.HelloOrder("nonce", "/staging"),
    messages.Hello("0.3", "3.11", "", "10.11", "me", 0o22, "/data", 1, 1, 2, 3, 4.0, 5.0, "6.1", "x86", "key"),
]
CALLS = [name for name, _ in inspect.getmembers(NodeLoader, inspect.isfunction) if not name.startswith("_")]


def test_every_message_has_a_sample_here() -> None:
    """A new message is tried like the others."""
    defined = {
        one for _, one in inspect.getmembers(messages, dataclasses.is_dataclass) if one.__module__ == messages.__name__
    }
    assert {type(sample) for sample in SAMPLES} == defined


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_message_is_a_frozen_value_that_travels(sample: Any) -> None:
    """It cannot be changed, and arrives in another process as what it was."""
    field = dataclasses.fields(sample)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sample, field, None)
    assert dataclasses.asdict(pickle.loads(pickle.dumps(sample))) == dataclasses.asdict(sample)


@pytest.mark.parametrize("name", CALLS)
def test_a_loader_has_the_calls_of_the_seam_as_they_are_declared(name: str) -> None:
    """Names, order and defaults of the arguments are the Protocol's, so that a call by name or place means the same."""
    declared, found = (inspect.signature(getattr(owner, name)) for owner in (NodeLoader, MariaDBLoader))
    assert found == declared
    hints = [get_type_hints(getattr(owner, name), localns={"pa": pa}) for owner in (NodeLoader, MariaDBLoader)]
    assert hints[0] == hints[1]


def test_a_loader_has_no_other_calls() -> None:
    """What the Protocol does not name cannot be reached across the seam."""
    public = [name for name, _ in inspect.getmembers(MariaDBLoader, inspect.isfunction) if not name.startswith("_")]
    assert public == CALLS
