"""A statement bound to a catalog: names, columns, functions and ref-match tables."""
