module hardened/e2e/workloads/static

go 1.24
