"""SQL text: tokens, trees, dialect, names of result columns. Knows no catalog."""
