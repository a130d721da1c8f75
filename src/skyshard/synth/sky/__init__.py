"""The sky that a recipe describes: density, positions, populations, visits."""
