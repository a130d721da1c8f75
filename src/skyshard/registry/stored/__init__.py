"""What the registry stores: its SQL tables, their rows, and which states may follow which."""
