"""The tables that visits write to on the nodes of a cluster: made, placed by chunk, parted by month, measured."""
