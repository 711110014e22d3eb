"""Building blocks that every other package may use; they know nothing of RFM."""
