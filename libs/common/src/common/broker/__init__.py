"""Between services: one engine that keeps the promises, over one of several transports."""
