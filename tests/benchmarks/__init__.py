"""Measurements: each prints a figure beside a baseline that ran in the same minute."""
