"""Kubernetes built from its Go modules, on this machine alone: no Docker, no registry, no way out."""
