"""Names and texts end where their quotes do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.db.quoting import quote_name, quote_text


@pytest.mark.parametrize("name", ["", "x" * 65, "tail ", "nul\0", "a/b"])
def test_names_that_no_server_takes_are_refused(name: str) -> None:
    """A name is checked before it reaches SQL text."""
    with pytest.raises(UserError, match="is no name"):
        quote_name(name)


@given(st.text("aZ9_ `'\"\\\n\t%é€𝄞", min_size=1, max_size=64))
def test_a_quoted_name_ends_only_at_its_end(name: str) -> None:
    """Inside the quotes every backtick is doubled."""
    if name == name.rstrip():
        assert "`" not in quote_name(name)[1:-1].replace("``", "")


@given(st.text("aZ9_ `'\"\\\n\0%é€𝄞"))
def test_a_quoted_text_ends_only_at_its_end(text: str) -> None:
    """Inside the quotes every quote and backslash is escaped."""
    inside = quote_text(text)[1:-1]
    plain = inside.replace("\\\\", "").replace("\\'", "")
    assert "'" not in plain
