"""Where rows of a database come from: file, row, run, transaction."""
