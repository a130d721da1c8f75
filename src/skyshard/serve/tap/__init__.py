"""TAP 1.1 of the Virtual Observatory: queries in ADQL at once or as jobs, and what there is to be asked."""
