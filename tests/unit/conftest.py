"""What unit tests share: what a machine can do is measured briefly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from skyshard.bench.record import machine_probe


@pytest.fixture(scope="session", autouse=True)
def _brief_readings_of_the_machine() -> Iterator[None]:
    """Each trial times the machine twice or more, half a second in all; no unit test asks how fast it is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HASHED_BYTES", "COPIED_BYTES", "WRITTEN_BYTES"):
            patch.setattr(machine_probe, name, 1 << 12)
        yield
