"""What the benchmarks share: measuring, running, judging and showing."""
