"""Requests by hand: what becomes of each HardenedServiceAction."""
