"""A hold: the pods that use some data are stopped while a restore replaces it."""
