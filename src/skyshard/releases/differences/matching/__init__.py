"""Which row or object of one side is which of the other, and what became of it."""
