"""The checks of a HardenedService: one list, for its condition `Hardened`, for `hardenctl preflight`, and for docs/checks.md."""
