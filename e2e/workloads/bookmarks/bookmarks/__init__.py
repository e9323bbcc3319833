"""A bookmark service: an HTTP API, a worker with a job queue, and the migrations of their database. See `__main__`."""
