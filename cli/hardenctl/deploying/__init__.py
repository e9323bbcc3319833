"""What `deploy` sends, and what the operator would make of it."""
