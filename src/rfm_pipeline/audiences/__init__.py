"""Audience files: the customers of chosen segments, in the upload format of an ad network or e-mail service.

What each network requires is data (`networks.py`) and small rules (`normalization.py`). The other modules
join the current result with contacts and count every customer as exported or left out.
"""
