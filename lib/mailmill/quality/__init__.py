"""Quality: what a table holds, counted in one mergeable pass."""
