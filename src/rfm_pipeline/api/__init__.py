"""The Python API: `segment()` and the result that it returns."""
