"""Bad input, kills and crossings at random: python -m benchmarks.abuse."""
