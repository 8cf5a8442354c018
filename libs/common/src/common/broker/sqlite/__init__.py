"""A file that several processes share: a lease per record."""
