"""Compares trials: two releases, a trend over releases, a sweep over sizes. No I/O."""
