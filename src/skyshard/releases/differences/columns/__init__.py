"""Columns of two sides: which go together, how their values differ, what is counted of it."""
