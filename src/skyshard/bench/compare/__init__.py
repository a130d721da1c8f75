"""What trials say side by side: comparison, trend, sweep. No I/O."""
