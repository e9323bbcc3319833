"""Follows services to the end of their releases: as a live view on a terminal, as lines anywhere else."""
