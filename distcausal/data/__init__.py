"""The shared data model: units that each carry a distribution."""
