"""Which cluster, as whom, and by which client library: kubeconfig, credentials, transports."""
