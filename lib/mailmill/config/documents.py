"""The sections of a configuration about what is said of the data: expectations and documentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailmill.config.values import Country, Place, Section


class QualitySection(Section):
    """Every table is profiled; with the extra `docs` it is also held to expectations before it is published."""

    expectations: Literal["auto", "required", "off"] = Field(
        "auto", description="auto: where Great Expectations is installed; required: it must be"
    )
    suites: Place | None = Field(None, description="a folder of your own TABLE.json; default: data_docs/expectations")
    accept: tuple[str, ...] = Field((), description="TABLE.NAME of expectations that shall not stop the run")
    sample_rows: int = Field(2000, ge=10, le=100_000, description="rows of derived figures that expectations see")


class DocsSection(Section):
    """Where the documentation is built, what people declare, and what may be shown in it."""

    build: bool = Field(True, description="whether `mailmill run` ends with the documentation")
    site: Place | None = Field(None, description="folder or s3:// prefix of the built site; default: WORK/site")
    declared: Place = Field("data_docs", description="folder of datasheet.toml and model_card.toml")
    fail_on: tuple[Literal["unanswered", "stale", "declared"], ...] = ("unanswered", "stale")  # of `docs check`
    sample_rows: int = Field(200_000, ge=1_000, description="test rows at most behind slices, curves and intervals")
    words: Literal["package", "always", "never"] = Field("package", description="show telling words: of which vectors")
    country: Country | None = Field(None, description="ISO 3166: training's energy is measured there")
    versions: int = Field(100, ge=2, description="how many documented versions of the data are kept for `docs diff`")
    examples: int = Field(0, ge=0, le=50, description="mistakes to show for each model, redacted; 0: none")
