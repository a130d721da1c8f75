"""The runtime on Ray: the only room that imports Ray. ``skyshard.runtime`` prepares the environment before."""
