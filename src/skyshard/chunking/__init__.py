"""Chunk and sub-chunk numbers, equal to Qserv's for every row. Pure arithmetic, no I/O.

The order of the float operations decides rows on boundaries (dec 0 in 340 stripes of 3 belongs to stripe 169), so
positions are divided by widths, never multiplied by inverse widths. Numbers are opaque and have gaps:
chunk = 2·S·stripe + c, sub-chunk = M·(sub-stripe within the stripe) + (slot within the chunk), where S counts stripes
and M is the largest number of slots that a chunk has in any sub-stripe of the sky. A *slot* is the longitude piece of
one sub-stripe that makes a sub-chunk. Sub-stripes have one slot (at the poles) or at least five.
"""

from skyshard.chunking.chunker import Chunker, OverlapCopies

DUMMY_CHUNK = 1234567890
"""The chunk that exists on every node and holds no row."""

__all__ = ["DUMMY_CHUNK", "Chunker", "OverlapCopies"]
