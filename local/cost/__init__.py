"""What the shop costs, and where it ends: `make cost` computes docs/cost.md from the template and the state machine."""
