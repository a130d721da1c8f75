"""What is asked for: one weekly of one sky in one layout of files. Checked here; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import plain_number

TreeKind: TypeAlias = Literal["hsc-gen3", "hsc-gen2", "dp2"]
ColumnChoice: TypeAlias = Literal["all", "few"]
KeyChoice: TypeAlias = Literal["lasting", "new"]
LAST_WEEKLY = 24
"""The sky keeps a place for every object that is born up to this weekly."""
_FEWEST_OBJECTS = 10
_HIGHEST_DEC_DEG = 80.0


@dataclass(frozen=True, slots=True)
class WeeklyOrder:
    """One weekly. The sky follows from ``objects``, ``seed``, ``centre`` and the camera of ``kind`` alone."""

    kind: TreeKind
    weekly: int = 1
    objects: int = 2000
    seed: int = 1
    columns: ColumnChoice = "all"
    centre: tuple[float, float] = (0.0, 0.0)
    """Right ascension and declination of the field's middle, degrees."""
    keys: KeyChoice = "lasting"
    """lasting: an object keeps its id over weeklies; new: ids are counted anew, so that one may mean another object."""
    doubled: int = 0
    """Rows of Object that stand a second time, in the file of another tract."""
    bad_positions: int = 0
    """Rows of Object without a position: NaN and NULL in turns."""
    damage: bool = False
    """The last file of sources is cut off."""
    redo: bool = False
    """The files of one tract, as they are after it was done once more; the other files are left as they are."""

    def __post_init__(self) -> None:
        if not 1 <= self.weekly <= LAST_WEEKLY:
            raise UserError(f"--weekly {self.weekly} is not within 1 to {LAST_WEEKLY}", remedy="choose one of these")
        if self.objects < _FEWEST_OBJECTS:
            raise UserError(f"--objects {self.objects} is too few", remedy=f"ask for at least {_FEWEST_OBJECTS}")
        ra, dec = self.centre
        if not (0.0 <= ra < 360.0 and -_HIGHEST_DEC_DEG <= dec <= _HIGHEST_DEC_DEG):
            raise UserError(
                f"--centre {ra:g},{dec:g} is not on the generator's sky",
                remedy=f"right ascension within [0, 360), declination within +-{_HIGHEST_DEC_DEG:g}",
            )
        if min(self.doubled, self.bad_positions) < 0 or self.doubled + self.bad_positions > self.objects // 4:
            raise UserError(
                "--doubled and --bad-positions are together more than a quarter of the objects", remedy="lower them"
            )


def parse_centre(text: str) -> tuple[float, float]:
    """Right ascension and declination from ``359.9,-1.2``.

    >>> parse_centre("359.9,-1.2")
    (359.9, -1.2)
    """
    try:
        ra, dec = (plain_number(part.strip()) for part in text.split(","))
    except ValueError:
        raise UserError(f"--centre '{text}' is not a position", remedy="write 359.9,-1.2") from None
    return ra, dec
