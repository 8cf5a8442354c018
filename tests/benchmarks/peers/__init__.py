"""Programs to measure, each a process of its own; those beside ours in environments of their own.

What they share (`tally`) needs nothing but the standard library.
"""
