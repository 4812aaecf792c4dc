"""Search is exact."""

import numpy as np
import pytest

from genprint.gallery.index import Index
from genprint.gallery.store import GalleryStore
from tests.gallery.test_store import made_up, model

__all__ = ["model"]


@pytest.mark.parametrize("conditions", [(), ("JPEG 90", "blur 1")])
def test_search_is_exact(tmp_path, rng, model, conditions):
    store, sources = GalleryStore(tmp_path / "g.sqlite", model), dict(made_up(rng, 40))
    store.add_all(sources.items())
    states = {name: [model.fingerprinter.embed(own)] for name, own in sources.items()}
    for name, vectors in states.items():
        for condition in conditions:  # as galleries of before 0.2 have them
            vectors.append(rng.permutation(vectors[0]).astype(np.float32))
            store._connection.execute("INSERT INTO vector VALUES (?, ?, ?)", (name, condition, vectors[-1].tobytes()))
    index = GalleryStore(tmp_path / "g.sqlite", model).index()
    for _ in range(5):
        asked = rng.normal(size=len(states["source 000"][0]))
        expected = sorted(states, key=lambda name: -(states[name] @ asked).max())
        assert index.nearest(asked, 7) == expected[:7]
    assert index.nearest(asked, 99) == expected
    names, vectors = store.vectors()
    assert list(names) == sorted(sources)
    assert np.allclose(vectors, [states[name][0] for name in names], atol=1e-6)


def test_search_over_many_blocks_is_exact(rng):
    vectors = rng.normal(size=(5000, 8)).astype(np.float32)
    index = Index(tuple(map(str, range(5000))), vectors, np.arange(5000))
    for count in (1, 5, 200, 5000):
        asked = rng.normal(size=8).astype(np.float32)
        assert index.nearest(asked, count) == [str(i) for i in np.argsort(-(vectors @ asked), kind="stable")[:count]]


def test_an_empty_gallery_has_no_neighbours(model):
    store = GalleryStore(None, model)
    assert store.index().names == ()
    assert store.vectors()[0] == ()
