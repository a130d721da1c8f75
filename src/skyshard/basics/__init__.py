"""What every package may need: errors, progress, lazy imports, readable figures, the release."""
