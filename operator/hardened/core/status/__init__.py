"""What a service is told: its conditions, and what stands in the way."""
