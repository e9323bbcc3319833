"""What is read from objects as they are in the cluster."""
