"""What a tenant lets its customers know: documents, and the search through their passages."""
