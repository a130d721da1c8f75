"""What changed from one database to another: rows, objects, columns, and where on the sky."""
