"""Rows of the registry that outlive its server: in dumps, and in the records that nodes keep."""
