"""How a service and its release are, from its status, and how that is shown."""
