"""More than one machine, on Ray: many files to tables (Ray Data), and the service as a deployment (Ray Serve)."""
