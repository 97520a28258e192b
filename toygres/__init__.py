"""What the control plane knows: instances, operations, platforms. Imports neither Celery nor Flask."""
