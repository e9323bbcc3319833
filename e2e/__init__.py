"""Everything that is promised to a user, on a real API server with real kubelets."""
