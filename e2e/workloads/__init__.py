"""A small real HTTP service, twice: what the end-to-end tests deploy, release, break and measure."""
