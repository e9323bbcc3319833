"""Who checks a new version, what they are told, and what was said of it."""
