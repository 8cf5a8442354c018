"""Pull the plug, again and again, and let the simulator's ledger judge what the contacts saw."""
