"""What runs beside one node: makes, checks and reads its chunk tables. Knows neither ingest nor the czar."""
