"""HardenedServices in files, and where in a file each thing stands."""
