"""The vocabulary: what a release, a target, a stack, a finding is. Knows the API, and nothing else of core."""
