"""The file of a dump: whole as it was written, or refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.registry.backup.dump_file import HEADER, DumpHeader, new_dump, read_header, read_members

HEAD = DumpHeader(
    release="0.3.0", registry=4, made_s=1.5, generation=7, last_transaction=3, nodes={"node1": "k"}, with_indexes=True
)
MEMBERS = {
    "rows/databases/0": b"",
    "rows/replicas/0": random.Random(3).randbytes(300_000),
    "kept/truth/a/1.gz": b"x" * 999,
}


def write(path: Path, header: bytes) -> None:
    with new_dump(path) as dump:
        dump.add(HEADER, header)
        for name, content in MEMBERS.items():
            dump.add(name, content)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "registry.dump"
    write(path, HEAD.model_dump_json().encode())
    return path


def test_what_was_written_is_read(dump: Path) -> None:
    """Header and members, in order; only its owner may read the file."""
    assert read_header(dump) == HEAD
    assert {name: content.read() for name, content in read_members(dump) if name != HEADER} == MEMBERS
    assert dump.stat().st_mode & 0o777 == 0o600


def test_a_member_may_be_passed_over(dump: Path) -> None:
    """It is digested all the same."""
    assert [name for name, _ in read_members(dump)] == [HEADER, *MEMBERS]


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_another_byte_is_refused(dump: Path, seed: int) -> None:
    """Wherever it is, and where the file is cut short."""
    chosen, content = random.Random(seed), bytearray(dump.read_bytes())
    place = chosen.randrange(len(content))
    dump.write_bytes(content[:place])
    with pytest.raises(UserError, match="no dump of a registry, or is damaged"):
        read_header(dump)
    content[place] ^= chosen.randrange(1, 256)
    dump.write_bytes(content)
    with pytest.raises(UserError):
        read_header(dump)


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """With the advice to install a newer release."""
    path = tmp_path / "registry.dump"
    write(path, b'{"version": 2, "else": 1}')
    with pytest.raises(UserError, match="version 2 is of a later release"):
        read_header(path)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    """Not even a draft."""
    with pytest.raises(TypeError), new_dump(tmp_path / "registry.dump") as dump:
        dump.add("rows/a/0", None)
    assert list(tmp_path.iterdir()) == []
