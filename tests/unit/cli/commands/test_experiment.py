"""The disk budget of an experiment as a word."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.cli.commands.experiment import disk_bytes_of


@pytest.mark.parametrize(
    ("text", "size"), [("", None), ("20G", 20 << 30), ("1.5GiB", 3 << 29), ("512m", 512 << 20), ("1000", 1000)]
)
def test_a_size_is_read(text: str, size: int | None) -> None:
    """In powers of 1024, as the server's settings have it."""
    assert disk_bytes_of(text) == size


@pytest.mark.parametrize("text", ["0", "G", "-1G", "20X", "20 G G", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(UserError, match="is not a size; write one such as 20G"):
        disk_bytes_of(text)
