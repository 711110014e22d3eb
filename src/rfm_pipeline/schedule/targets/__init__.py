"""One module for each scheduler, and `templates/` with the files that they fill in."""
