"""RFM segmentation: one readable SQL query, and what runs it every day."""

__version__ = "0.1.0"
__all__ = ["__version__"]
