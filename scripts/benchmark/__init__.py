"""What `scripts/bench` measures with: generated databases and the like. Never imported by the product."""
