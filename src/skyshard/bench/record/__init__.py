"""What is kept of a trial: samples, histograms, telemetry, manifest, and the folder of them."""
