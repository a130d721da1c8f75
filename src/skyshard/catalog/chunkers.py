"""The chunker of a striping, made once a process: its tables take a moment to work out."""

from __future__ import annotations

from functools import lru_cache

from skyshard.catalog.layout import Striping
from skyshard.chunking import Chunker


@lru_cache(maxsize=64)
def chunker_of(striping: Striping) -> Chunker:
    """The chunker of these numbers.

    Raises:
        UserError: numbers that do not go together.

    >>> striping = Striping(stripes=85, substripes=12, overlap_deg=0.01667)
    >>> chunker_of(striping), chunker_of(striping) is chunker_of(striping.model_copy())
    (Chunker(85, 12, 0.01667), True)
    """
    return Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
