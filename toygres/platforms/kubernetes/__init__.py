"""The platform for which Toygres exists: each instance is a StatefulSet with its volume, Service and Secrets."""
