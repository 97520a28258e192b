"""What benchmarks share: reports with bounds, samples, the machine, memory, throw-away control planes."""
