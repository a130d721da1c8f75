"""Tables of the alert production database: columns, keys, partitions, as Arrow and as SQL of each engine."""
