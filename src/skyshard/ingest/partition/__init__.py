"""From batches of input rows to bundles of packed rows, sorted by chunk."""
