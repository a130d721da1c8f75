"""What is refused of a setting before the server's binary is asked."""

from __future__ import annotations

from typing import Any

import pytest

from skyshard.cluster.setting_names import SettingError
from skyshard.cluster.settings_check import MORE_CACHES, check_values


@pytest.mark.parametrize("name", MORE_CACHES)
@pytest.mark.parametrize(("value", "becomes"), [("1e7", 1 << 60), ("+2E1", 2 << 60), ("8K7", 8 << 10)])
def test_a_cache_whose_size_is_read_in_part_is_refused_unasked(name: str, value: str, becomes: int) -> None:
    """MariaDB takes 1e7 for an exbibyte: asked what it makes of it, it takes all the memory of the host."""
    nobody: Any = None
    with pytest.raises(SettingError, match=f"MariaDB would make it {becomes}; write a number such as 8388608"):
        check_values(nobody, {name: value}, {}, 1 << 34, is_node=True)
