"""The DuckDB engine: connection, staging, publishing, export and errors."""
