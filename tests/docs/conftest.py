"""One small run, documented: generated as the demo is, so that the demo's declarations speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mailmill import pipeline
from mailmill.config import Config
from mailmill.corpus import CorpusSpec, write
from mailmill.docs import build
from mailmill.docs.build import Documents
from mailmill.job import Job
from tests import mail
from tests.conftest import ROOT

#: As by default, in fewer columns.
NGRAMS = ("features.ngrams=3", "features.ngram_bits=16")


@dataclass(frozen=True)
class Documented:
    """A finished run: its configuration, its corpus, and the folder of its site."""

    config: Config
    corpus: Path
    site: Path

    def documents(self, **changes: object) -> Documents:
        """What can be said without building anything, with other settings of `docs`."""
        config = self.config.model_copy(update={"docs": self.config.docs.model_copy(update=changes)})
        return build.gather(Job(config).workspace, config)


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Documented:
    """The pipeline over 500 mails on the local engine, ending with its site."""
    pytest.importorskip("jinja2", reason="the extra `docs` is not installed")
    pytest.importorskip("matplotlib", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("documented")
    write(CorpusSpec(count=500, seed=1), folder / "corpus", "eml")
    vectors = mail.make_vectors(folder / "corpus", folder / "glove.txt")
    config = mail.make_config(
        str(folder / "work"), folder / "corpus", vectors, "docs.build=true", f"docs.site={folder / 'site'}",
        f"docs.declared={ROOT / 'data_docs'}", "docs.words=always", "docs.examples=3",
        *NGRAMS,
    )  # fmt: skip
    with Job(config) as job:
        pipeline.run(job)
    return Documented(config, folder / "corpus", folder / "site")
