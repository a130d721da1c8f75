"""Work on published tables: compaction, rebuilt indexes."""
