"""Checks services before they are deployed, and services that run: the list is `hardened.core.hardening`."""
