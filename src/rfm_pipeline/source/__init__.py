"""Sources: files, globs, folders, stdin, DuckDB tables and data frames, opened as one DuckDB relation."""
