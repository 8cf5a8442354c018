"""The `recado` command: everything in one process, and the operator's verbs."""
