"""The sky that a recipe stands for: density, positions, populations, visits."""
