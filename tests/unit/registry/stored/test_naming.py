"""Stored names of new databases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.basics.errors import UserError
from skyshard.ingest.sources.database_name import require_database_name
from skyshard.registry.stored.naming import LONGEST, stored_name

NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}(_[a-z0-9]{1,4}){0,3}", fullmatch=True, alphabet=LETTERS)


@given(st.lists(st.one_of(NAME, st.sampled_from(["a", "b" * 56, "b" * 55 + "c"])), max_size=12))
def test_every_new_database_gets_a_stored_name_of_its_own(shown: list[str]) -> None:
    """However often names are used again; none is longer than a name may be, or ends as index names go on."""
    taken: set[str] = set()
    for name in shown:
        stored = stored_name(name, taken)
        assert stored not in taken
        assert len(stored) <= LONGEST
        assert "__" not in stored
        assert not stored.endswith("_")
        taken.add(stored)


def test_a_name_that_is_used_again_is_stored_under_one_that_nobody_can_give() -> None:
    """It begins with an underscore."""
    assert stored_name("hsc", set()) == "hsc"
    again = stored_name("hsc", {"hsc", "_7_dp1"})
    assert again == "_8_hsc"
    with pytest.raises(UserError, match="no usable database name"):
        require_database_name(again)


def test_a_long_name_does_not_grow() -> None:
    """Names of index tables have its length in them, and have to fit again after a drop."""
    long = "n" * 47
    again = stored_name(long, {long, "_7_dp1"})
    assert (again, len(again)) == ("_8_" + "n" * 44, 47)
    assert len(stored_name("n" * 20, {"n" * 20})) == 23
