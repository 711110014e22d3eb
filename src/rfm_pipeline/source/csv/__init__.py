"""Reading of delimited text files."""
