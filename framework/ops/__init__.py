"""Every differentiable op, one file a family."""
