"""Runs: Jobs that are made for one cause, by a schedule or by hand, what came of them, and what is remembered of that."""
