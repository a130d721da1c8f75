"""Letters that tests draw texts of."""

from __future__ import annotations

from hypothesis import strategies as st

LETTERS = st.characters(exclude_categories=["Cs"])
"""What UTF-8 can write: all but surrogates. Asked for by the name of the codec, or not at all, as in ``st.text()``,
Hypothesis tries out a million of them first: three seconds of each process in a fresh clone."""
