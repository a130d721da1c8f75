"""What changed in the columns of two releases: added, removed, retyped with what may be lost, renamed."""
