"""Row images: packed records exactly as a fixed-format MyISAM data file holds them, and row digests.

The only I/O is reading and writing such files. This package knows types, not tables.
"""
