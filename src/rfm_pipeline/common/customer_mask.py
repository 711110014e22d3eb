"""Masking of customers' values outside a terminal: logs, JSON, records, reports and chat messages."""

from __future__ import annotations


def mask_customer(value: object) -> str:
    """Return the masked form of a value of the customer's column: its first character, and an address's domain.

    >>> mask_customer("jane.doe@example.com"), mask_customer("6.01235E+12"), mask_customer("")
    ('j...@example.com', '6...', '')
    """
    text = str(value).strip()
    if not text:
        return ""
    domain = text.rpartition("@")[2] if "@" in text else ""
    return f"{text[0]}...@{domain}" if domain else f"{text[0]}..."
