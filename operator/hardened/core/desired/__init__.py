"""What should exist for a service: one module per kind of child, each a builder that gives a manifest, or None where none is wanted."""
