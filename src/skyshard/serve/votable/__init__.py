"""VOTable documents written from Arrow batches as they come, without holding a result whole. No I/O."""
