"""Audiences for use: who is in a segment, in the file that another program takes.

What each network asks for is data (`formats.py`) and small rules (`normalise.py`); the rest joins the current
result with contacts, and accounts for every customer.
"""
