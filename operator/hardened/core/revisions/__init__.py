"""The versions of a service: what one is, which are kept, and what is remembered of them."""
