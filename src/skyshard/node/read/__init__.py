"""Chunk tables of one node read back: rows, digests, faults."""
