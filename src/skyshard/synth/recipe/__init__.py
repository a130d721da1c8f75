"""What to make: recipes, their rules, and the tables that they stand for."""
