"""Column images: the rows of chunk tables once more, column by column, in Arrow files beside a node's data.

An image counts only while its digest is that of a good replica in the registry; whatever has another one is never read.
"""
