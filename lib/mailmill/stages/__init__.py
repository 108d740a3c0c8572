"""Stages that are stories of their own: `pipeline.py` calls each in one line."""
