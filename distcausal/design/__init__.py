"""Designs: where to evaluate a function so that least squares learns most from it."""
