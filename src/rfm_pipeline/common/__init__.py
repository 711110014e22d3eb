"""General building blocks without knowledge of RFM, used by every other package."""
