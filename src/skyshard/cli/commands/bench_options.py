"""What options of several ``skyshard bench`` commands mean: a changed workload, lists of numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeVar

import skyshard.bench
from skyshard.basics.errors import UserError

Number = TypeVar("Number", int, float)


def adjusted_file(
    name: str, leave_out: str, duration_s: float, *, check: bool | None
) -> tuple[Path, skyshard.bench.Workload]:
    """A workload file by its path or shipped name, and the workload as the options change it."""
    file = skyshard.bench.find_workload(name)
    return file, adjusted(skyshard.bench.read_workload(file), leave_out, duration_s, check=check)


def adjusted(
    workload: skyshard.bench.Workload, leave_out: str, duration_s: float, *, check: bool | None
) -> skyshard.bench.Workload:
    """The workload with the changes that the options ask for; the manifest records it so."""
    if leave_out:
        workload = workload.without([name.strip() for name in leave_out.split(",") if name.strip()])
    if duration_s:
        workload = workload.lasting(duration_s)
    return workload if check is None else workload.model_copy(update={"check_answers": check})


def numbers(text: str, kind: type[Number]) -> list[Number]:
    """Numbers with commas between. Raises UserError when one is not a number, or not a finite one."""
    try:
        found = [kind(part) for part in text.split(",") if part.strip()]
        if not all(-math.inf < one < math.inf for one in found):
            raise ValueError
        return found
    except ValueError:
        raise UserError(f"'{text}' is not a list of numbers", remedy="write them with commas: 1e-6,2e-6") from None
