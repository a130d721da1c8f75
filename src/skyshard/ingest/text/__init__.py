"""Delimited text: its bytes, its fields, its rows."""
