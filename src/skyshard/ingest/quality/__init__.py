"""What input rows hold, counted as they come in: the quality of a release at the door."""
