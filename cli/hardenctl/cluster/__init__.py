"""Calls to the API server: what is read and written there, under which paths, and what a failure means to a person."""
