"""What was given up and who was halted for it: rows of the consuming service."""
