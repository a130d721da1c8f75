"""What older registries lack, as numbered steps; each is a module ``to_<version>``, listed in ``STEPS``.

A step is a few changes, in order. A change says how many things it would touch, and touches them; both may run at any
time and any number of times, so that an upgrade which was killed goes on where it was. The version is written when all
changes of a step are done. A step never uses what a later release may change: it writes its own SQL text.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations import to_2, to_3, to_4, to_5, to_6, to_7, to_8, to_9
from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace

STEPS: tuple[Step, ...] = (to_2.STEP, to_3.STEP, to_4.STEP, to_5.STEP, to_6.STEP, to_7.STEP, to_8.STEP, to_9.STEP)

__all__ = ["STEPS", "Change", "Step", "UpgradePlace"]
