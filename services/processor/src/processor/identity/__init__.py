"""Who is who: tenants, the contacts that write to them, and what those contacts allow."""
