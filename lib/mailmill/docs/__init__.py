"""Documentation that is measured: what a run found, written down for people and for machines."""
