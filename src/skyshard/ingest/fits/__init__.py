"""FITS: headers, table extensions, and rows as Arrow arrays."""
