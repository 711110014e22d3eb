"""Sources: open files, globs, folders, stdin, DuckDB tables and frames as one relation that is read once."""
