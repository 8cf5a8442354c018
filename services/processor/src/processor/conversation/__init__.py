"""What was said between a contact and a tenant's sender, and who answers it."""
