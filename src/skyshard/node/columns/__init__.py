"""Column images of one node: written from its tables, listed, read back."""
