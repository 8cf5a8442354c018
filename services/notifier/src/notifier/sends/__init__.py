"""Sends and their parts: the rows, and the rules as functions of values."""
