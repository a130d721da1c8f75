"""Catalogs as files and values: schema, layout, names and CREATE TABLE texts, placement, strict models of files."""
