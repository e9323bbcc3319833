"""A support bundle: what is read of a service, what of it is hidden, and how it is packed."""
