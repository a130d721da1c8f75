"""The synthetic sky: a pure function of (recipe, seed, chunk), and the folders of Parquet files written from it.

Floor 4: knows recipes, tables and chunks; knows no server, no ingest and no query.
"""
