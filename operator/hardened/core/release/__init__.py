"""From one version to the next: the steps of a release, what is remembered of it, and what everything should be like meanwhile."""
