"""One pair of corpora for every test of kills."""

from __future__ import annotations

import pytest

from tests import mail
from tests.faults.workspace import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("kill")
    large = mail.make_corpus(folder / "large", 1500)
    vectors = mail.make_vectors(large, folder / "glove.txt")
    return Bench(mail.make_corpus(folder / "small", 150), large, vectors, folder)
