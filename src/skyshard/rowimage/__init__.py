"""Row images: packed records as a fixed-format MyISAM data file holds them, and row digests.

No I/O but reading and writing such files; knows types, not tables.
"""
