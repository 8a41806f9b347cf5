"""The small set that is searched, its map, and a searcher."""

import pytest
from search_fixtures import make_data, make_encoder, make_map

from ccalign_jax.search import open_searcher


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def learned(data):
    return make_map(data)


@pytest.fixture(scope="session")
def searcher(learned, data):
    return open_searcher(learned, data, encoder=make_encoder(data))
