"""The page for operators: what runs now, live; history, nodes, catalogs, ingest, the sky."""
