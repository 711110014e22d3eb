"""SQL text of all queries. The package `warehouse` executes them."""
