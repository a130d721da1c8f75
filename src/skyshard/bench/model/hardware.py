"""Hardware files (``queries/hardware/*.yaml``): one node of a cluster, as a projection needs to know it.

Every number is one node's. Reads the named file only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import Strict, read_located
from skyshard.host.shipped_data import data_folder

Positive = Annotated[float, Field(ge=1e-6, le=1e12)]
"""Far beyond what there is: where a machine is slower or larger by more, times and sizes are no numbers any more."""


class Hardware(Strict):
    """One node; clusters are of equal nodes."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]
    description: str = ""
    source: str = ""
    """Where the numbers are from, and which are measured."""
    nodes: Annotated[int, Field(ge=1)] | None = None
    """How many there are, where a command does not say."""
    cores: Positive
    """Cores for scans."""
    core_speed: Positive = 1.0
    """Work of one core in a second, against a core of the machine that the trials ran on."""
    memory_gb: Positive
    """10^9 bytes, of all memory."""
    memory_for_data: Annotated[float, Field(ge=1e-6, le=1)] = 0.7
    """Share of the memory that caches data and indexes."""
    memory_mb_per_s: Positive = 8000.0
    """10^6 bytes a second that all cores together read from cached files."""
    disk_mb_per_s: Positive
    """10^6 bytes a second of reads in order, all disks together."""
    disk_read_ms: Positive
    """Milliseconds for one page in any order, when nothing else is read: the wait of a look-up."""
    disk_iops: Positive
    """Pages a second in any order, with as many reads at a time as there are cores."""
    network_mb_per_s: Positive
    """10^6 bytes a second that reach the czar."""

    @property
    def cache_bytes(self) -> float:
        return self.memory_gb * 1e9 * self.memory_for_data


def read_hardware(source: str | Path) -> Hardware:
    """Read a hardware file, or a shipped one by its name.

    Raises:
        UserError: no such file or name, or a key that is unknown or wrong.
    """
    if (file := Path(source)).is_file():
        return read_located(Hardware, file)
    shipped = {file.stem: file for file in sorted(data_folder("queries", "hardware").glob("*.yaml"))}
    if (found := shipped.get(str(source))) is not None:
        return read_located(Hardware, found)
    raise UserError(f"there is no hardware '{source}'", remedy=f"name a file or one of: {', '.join(shipped)}")
