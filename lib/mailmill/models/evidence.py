"""What a fit can show for itself, so that an iteration limit is never mistaken for convergence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Evidence:
    """How a fit went; fields that do not apply to a kind of model are None.

    rows: training rows. passes: complete passes over the data, the first look and the out-of-bag pass included.
    source_bytes, cache_bytes: what those passes read of the table's files and mapped of the local cache.
    converged, iterations, gradient_norm, objective: of logistic regression, see `logistic`; the norm is the
    largest absolute component at the returned coefficients. path: where several strengths of the penalty were
    tried, each with the log loss on the validation split that chose among them, once calibrated: see `path`.
    out_of_bag_rows, out_of_bag_error: of a forest, see `forest`.
    """

    rows: int
    passes: int | None
    converged: bool | None = None
    iterations: int | None = None
    gradient_norm: float | None = None
    objective: float | None = None
    path: tuple[tuple[float, float], ...] | None = None
    source_bytes: int | None = None
    cache_bytes: int | None = None
    out_of_bag_rows: int | None = None
    out_of_bag_error: float | None = None

    @property
    def of_the_fit(self) -> Evidence:
        """What is the same whenever and wherever the fit is repeated, for the model's own file.

        Without the bytes, which depend on what the caches held; and of a forest without the passes, which depend on
        how it was grown and not on what has grown.
        """
        passes = None if self.converged is None else self.passes
        return replace(self, passes=passes, source_bytes=None, cache_bytes=None)

    def to_dict(self) -> dict[str, object]:
        """The fields that apply, ready for JSON."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        return found | ({"path": [list(step) for step in self.path]} if self.path is not None else {})
