"""Pure functions of arrays, shared by every family of methods."""
