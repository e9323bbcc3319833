"""Asks the operator for one thing by an action: what is at stake, the request, and what came of it."""
