"""Masking of customers' values outside a terminal: logs, JSON, records, reports and chat messages."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[^\s@'\"`,;:()<>\[\]|]+@(?:[^\s@'\"`,;:()<>\[\]|]+\.)?[^\W\d_]{2,}")


def mask_customer(value: object) -> str:
    """Return a value of the customer's column as its first character and, of an address, the domain.

    >>> mask_customer("jane.doe@example.com"), mask_customer("6.01235E+12"), mask_customer("")
    ('j...@example.com', '6...', '')
    """
    text = str(value).strip()
    if not text:
        return ""
    domain = text.rpartition("@")[2] if "@" in text else ""
    return f"{text[0]}...@{domain}" if domain else f"{text[0]}..."


def mask_address(value: object) -> object:
    """Return an e-mail address masked, and any other value as it is: an id of the shop's own names nobody.

    >>> mask_address("jane.doe@example.com"), mask_address("C-1042")
    ('j...@example.com', 'C-1042')
    """
    return mask_customer(value) if isinstance(value, str) and "@" in value else value


def mask_addresses(text: str) -> str:
    """Return a text in which each e-mail address is masked.

    >>> mask_addresses("such as 'jane.doe@example.com' (3), mailto:jane@localhost")
    "such as 'j...@example.com' (3), mailto:j...@localhost"
    """
    return _ADDRESS.sub(lambda match: mask_customer(match[0]), text) if "@" in text else text
