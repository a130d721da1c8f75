"""From chunks of rows to a folder of Parquet files with a manifest."""
