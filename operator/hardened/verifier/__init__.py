"""The verifier: sends the requests of checks and probes from a short-lived pod in the service's own namespace, and reports what it saw.

The operator itself never sends a request to a tenant's address. Nothing here imports the rest of Hardened: a pod starts in a fraction of
a second, and what it is told is one JSON document.
"""
