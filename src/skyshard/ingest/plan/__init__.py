"""What an ingest will do, and what forbids it, before anything is touched."""
