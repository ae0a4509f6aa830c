"""A site of one's own for every test: real distributions in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina_registry import Catalog
from lamina_registry.testing import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path).importable() as made:
        yield made


@pytest.fixture
def process(site: Site, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The site's catalogue, in the place of the process-wide one."""
    catalog = site.catalog()
    monkeypatch.setattr("lamina_registry.catalogue._catalog", catalog)
    return catalog
