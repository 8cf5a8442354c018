"""The history of the processor's tables."""
