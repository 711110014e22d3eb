"""Output of each command, for a terminal or as JSON."""
