"""Jobs that move chunks: their rows, and the steps that show chunks elsewhere."""
