"""What to make: recipes, their rules, and the tables that a recipe describes."""
