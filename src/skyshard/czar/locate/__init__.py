"""Where the rows of a statement are: chunk limits, chunk choice, and the proof that chunks can answer alone."""
