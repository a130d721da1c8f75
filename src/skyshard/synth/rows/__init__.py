"""Columns and rows of every table of a chunk."""
