"""The DuckDB engine: staging, publishing and export."""
