"""The query: what is said to an engine. How it is run is the business of `warehouse/`."""
