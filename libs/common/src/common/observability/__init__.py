"""How a process is followed from outside: logs, spans, metrics, and the one id that joins them."""
