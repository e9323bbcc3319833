"""The steps that go otherwise in place. Each has the functions that `release.steps` tells of."""
