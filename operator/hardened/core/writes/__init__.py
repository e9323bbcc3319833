"""What of the cluster is to be changed, and in which order."""
