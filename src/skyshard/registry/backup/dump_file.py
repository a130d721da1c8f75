"""The file of a dump: a stream of members, compressed as a whole, with a list of them and their digests at the end.

``header.json`` comes first, ``end.json`` last: a file without it was cut short. Written under another name and renamed
when it is on the disk; read twice, so that nothing is done with a file that is damaged.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import xxhash
from pydantic import BaseModel, ConfigDict, ValidationError

from skyshard.basics.errors import UserError
from skyshard.host.atomic_files import new_file
from skyshard.host.file_versions import refuse_newer

HEADER, END = "header.json", "end.json"
FORMAT = 1
BLOCK_BYTES = 1 << 20
ANOTHER = "give another dump"


class DumpHeader(BaseModel):
    """What a dump says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    """Of the file's format."""
    release: str
    """That wrote it."""
    registry: int
    """The version of the registry's tables."""
    made_s: float
    """By the registry's clock, in seconds since 1970."""
    generation: int
    """Of the registry at that moment."""
    last_transaction: int
    """The highest number of one."""
    nodes: dict[str, str]
    """Node → digest of its server's key: they tell the cluster."""
    with_indexes: bool
    """Director indexes and keys are in it."""


@dataclass(slots=True)
class DumpWriter:
    """Adds members to a dump."""

    _tar: tarfile.TarFile
    _digests: dict[str, str] = field(default_factory=dict)
    content_bytes: int = 0
    """Of all members so far, before compression."""

    def add(self, name: str, content: bytes | pa.Buffer) -> None:
        self._add(name, len(memoryview(content)), io.BytesIO(content))

    def add_file(self, name: str, path: Path) -> bool:
        """A file as it is now; False where it is gone."""
        try:
            with path.open("rb") as file:
                self._add(name, os.fstat(file.fileno()).st_size, file)
        except FileNotFoundError:
            return False
        return True

    def _add(self, name: str, size: int, file: IO[bytes]) -> None:
        info = tarfile.TarInfo(name)
        info.size = size
        digested = _Digested(file)
        self._tar.addfile(info, digested)
        self._digests[name] = digested.digest.hexdigest()
        self.content_bytes += size

    def end(self) -> None:
        self.add(END, json.dumps(self._digests).encode())


class _Digested:
    """A file that is digested as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = xxhash.xxh3_128()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


@contextmanager
def new_dump(path: Path) -> Iterator[DumpWriter]:
    """A dump to add to; it is there when the block ends, and nothing of it where the block raises.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with new_file(path) as draft:
            with draft.open("wb") as raw, pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd") as packed:
                os.fchmod(raw.fileno(), 0o600)
                with tarfile.open(fileobj=packed, mode="w|", bufsize=BLOCK_BYTES) as tar:
                    writer = DumpWriter(tar)
                    yield writer
                    writer.end()
            with draft.open("rb") as written:
                os.fsync(written.fileno())
    except OSError as error:
        raise UserError(f"cannot write '{path}': {error.strerror or error}", remedy="name another file") from error


def read_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Every member of a dump with its content, in order, which is digested as it is read.

    A content that is not read to its end is passed over.

    Raises:
        UserError: no dump, one that was cut short, or damaged; what came before may be right.
    """
    digests: dict[str, str] = {}
    said: dict[str, str] | None = None
    try:
        with (
            path.open("rb") as raw,
            pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as packed,
            tarfile.open(fileobj=packed, mode="r|", bufsize=BLOCK_BYTES) as tar,
        ):
            for info in tar:
                content = tar.extractfile(info)
                if content is None or said is not None:
                    raise tarfile.ReadError(f"member {info.name!r} after the end")
                if info.name == END:
                    said = json.loads(content.read())
                    continue
                digested = _Digested(content)
                yield info.name, digested  # type: ignore[misc]
                while digested.read(BLOCK_BYTES):
                    pass
                digests[info.name] = digested.digest.hexdigest()
    except FileNotFoundError:
        raise UserError(f"no file '{path}'", remedy="name a dump of `skyshard registry dump`") from None
    except (OSError, EOFError, ValueError, tarfile.TarError, pa.ArrowException) as error:
        raise _damaged(path, " ".join(str(error).split())) from error
    if said is None or said != digests:
        raise _damaged(path, "it was cut short" if said is None else "digests differ")


def read_header(path: Path) -> DumpHeader:
    """What a dump says of itself, after reading all of it.

    Raises:
        UserError: no dump, a damaged one, or one of a later release.
    """
    header: Any = None
    for number, (name, content) in enumerate(read_members(path)):
        if number == 0 and name == HEADER:
            header = json.loads(content.read())
    refuse_newer(header, [FORMAT], f"'{path}'")
    try:
        return DumpHeader.model_validate(header)
    except ValidationError as error:
        raise _damaged(path, " ".join(str(error).split())) from error


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"'{path}' is no dump of a registry, or is damaged: {why}", remedy=ANOTHER)
