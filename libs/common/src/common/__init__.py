"""What Recado's services share: the contract between them, and the plumbing of each."""
