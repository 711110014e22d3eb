"""SQL dialects: the expressions in which the engines differ."""
