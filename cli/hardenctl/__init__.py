"""hardenctl: the knowledge of the operator at a prompt."""
