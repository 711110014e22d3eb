"""Execution of SQL on an engine: the warehouse interface, its two implementations, and their factory."""
