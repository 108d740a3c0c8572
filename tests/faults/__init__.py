"""Runs that are killed, interrupted or short of disk: nothing half-done is published, and a rerun finishes."""
