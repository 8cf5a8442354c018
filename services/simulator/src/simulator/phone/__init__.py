"""The phone: one page on which a person is the customer."""
