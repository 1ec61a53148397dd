"""Plumbing that knows nothing about statistics."""
