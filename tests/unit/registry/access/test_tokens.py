"""Tokens as they are kept and found again."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.registry.access.tokens import Scope, TokenRow, digest_of, find_token

TOKENS = {name: secrets.token_urlsafe(32) for name in ("ann", "bob", "eve")}
ROWS = [TokenRow(name, Scope.QUERY, digest_of(token), 0.0) for name, token in TOKENS.items()]


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_found_by_its_text(name: str) -> None:
    """Its own row, wherever that is; the text itself is in none."""
    found = find_token(TOKENS[name], ROWS)
    assert found is not None
    assert (found.name, TOKENS[name] in str(ROWS)) == (name, False)


@given(st.text(LETTERS))
def test_any_other_text_is_no_token(text: str) -> None:
    """Nor is a digest, which whoever reads the registry sees."""
    assert find_token(text, ROWS) is None
    assert find_token(ROWS[0].digest, ROWS) is None


def test_a_scope_includes_those_below_it() -> None:
    """Each includes itself; none those above it."""
    order = [Scope.QUERY, Scope.INGEST, Scope.ADMIN]
    assert [[one.includes(other) for other in order] for one in order] == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip
