"""Where an ingest happens: registry, nodes, futures, and the orders that nodes are given."""
