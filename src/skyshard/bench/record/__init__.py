"""What a trial folder holds: samples, histograms, telemetry, manifest, summary."""
