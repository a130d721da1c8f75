"""From a bound statement to its plan."""
