"""Pairs of positions within a radius: found by zones, and which of them numbers may decide."""
