"""What others describe a service by, turned into a HardenedService: pure, and with an account of what became of each field."""
