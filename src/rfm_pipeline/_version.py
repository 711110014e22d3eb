"""The version of the package; `importlib.metadata` would take 10 ms to read it from the installation."""

__version__ = "0.1.0"
