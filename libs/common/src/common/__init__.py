"""What Recado's services share: the contract between them, and the plumbing each must do the same way."""
