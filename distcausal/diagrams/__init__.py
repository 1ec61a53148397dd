"""Causal inference by string-diagram surgery: graphs, diagrams, channels, queries."""
