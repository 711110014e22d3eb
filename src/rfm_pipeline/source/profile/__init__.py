"""The profile of a source's columns: one bounded look, and the decisions that follow from it.

`sample` is what is looked at; each other module makes one decision, and `profile` makes them in order.
"""
