"""SQL dialects: the expressions that differ between engines."""
