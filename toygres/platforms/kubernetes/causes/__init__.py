"""Why a server on Kubernetes isn't up: status, events and answers in, one typed cause out. Asks nobody itself."""
