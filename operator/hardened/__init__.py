"""Hardened: a Kubernetes operator that turns one HardenedService into a hardened deployment."""

__version__ = "0.1.0"
