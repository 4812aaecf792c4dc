"""The set encoder: images of any size, what identifies it, what it is without weights."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from genprint.encoder.encoder import SHIPPED, SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.encoder.tiles import cut_tiles
from genprint.encoder.training.episodes import pad_sets
from genprint.images.sets import ImageSet
from genprint.storage.weights import WeightsError, load_model, save_config
from tests.conftest import textured


@pytest.fixture
def encoder(small_model):
    return small_model.fingerprinter


def as_set(array):
    return ImageSet.from_array(array, "set")


def untrained(draw=0, **parameters):
    torch.manual_seed(draw)
    encoder = SetEncoder(**parameters)
    encoder.network_ = SetNetwork((4, 4, 8, 8), 8, 4)
    return encoder


@pytest.mark.parametrize("side", [16, 24, 31, 48, 96])
def test_it_takes_images_of_any_size(encoder, side):
    first, again = (encoder.extract(as_set(textured(np.random.default_rng(1), 3, side=side))) for _ in range(2))
    assert np.isfinite(first.values).all()
    assert (first.values == again.values).all()
    assert len(first) == 3  # images, not tiles


def test_tiles_lie_on_the_grid_and_follow_from_content_and_seed(rng):
    (image,) = as_set(textured(rng, 1, side=80))

    def places(count, seed):
        found = []
        for tile in cut_tiles(image, count, seed):
            (place,) = [
                (top, left)
                for top in range(49)
                for left in range(49)
                if (image.pixels[top : top + 32, left : left + 32] == tile).all()
            ]
            found.append(place)
        return found

    assert all(top % 8 == left % 8 == 0 for top, left in places(16, 0))
    assert places(16, 0) == places(16, 0) != places(16, 1)
    (small,) = as_set(textured(rng, 1, side=32))
    assert len(cut_tiles(small, 8, 0)) == 1
    assert (cut_tiles(small, 8, 0)[0] == small.pixels).all()


def test_padding_changes_nothing(encoder):
    features = torch.randn(
        7, encoder.parts * encoder.network.config["features"], generator=torch.Generator().manual_seed(0)
    )
    padded, mask = pad_sets(features, (5, 2))
    wide = torch.nn.functional.pad(padded, (0, 0, 0, 4), value=9.0)
    wider = torch.nn.functional.pad(mask, (0, 4))
    with torch.inference_mode():
        assert torch.allclose(encoder.network(padded, mask), encoder.network(wide, wider), atol=1e-6)


def test_save_and_load_change_nothing(encoder, tmp_path, rng):
    encoder.save_pretrained(tmp_path)
    again = SetEncoder.from_pretrained(tmp_path)
    images = as_set(textured(rng, 6))
    assert (again.transform([images]) == encoder.transform([images])).all()
    assert again.extractor_id == encoder.extractor_id
    assert again.get_params() == encoder.get_params()
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}


def test_identity_is_that_of_what_features_depend_on_and_of_nothing_else(rng):
    plain = untrained()
    identity = plain.extractor_id
    assert untrained().extractor_id == identity  # made anew
    assert untrained(tiles=8).extractor_id == identity  # the default, said
    assert pickle.loads(pickle.dumps(plain)).extractor_id == identity
    one_tile, other_seed = (copy.deepcopy(plain).set_params(**other) for other in ({"tiles": 1}, {"seed": 1}))
    other_weights = untrained(draw=3)
    assert len({own.extractor_id for own in (plain, one_tile, other_seed, other_weights)}) == 4
    assert "tiles=1" in one_tile.extractor_id
    plain.transform([as_set(textured(rng, 2))])
    plain.network.train()
    plain.network.eval()
    plain.some_note_ = "does not matter"
    assert plain.extractor_id == identity
    with torch.no_grad():
        next(plain.network.parameters()).add_(1e-3)
    assert plain.extractor_id != identity  # trained on


def test_the_shipped_encoder_has_one_identity_wherever_it_is_loaded(shipped, small_model):
    again = SetEncoder.from_pretrained()
    assert again.extractor_id == shipped.fingerprinter.extractor_id != small_model.fingerprinter.extractor_id
    assert again.set_params(tiles=2).extractor_id != shipped.fingerprinter.extractor_id


def test_without_weights_it_says_so(tmp_path, rng):
    images = as_set(textured(rng, 2))
    for ask in (
        lambda own: own.network, lambda own: own.parts, lambda own: own.extractor_id, lambda own: own.extract(images),
        lambda own: own.transform([images]), lambda own: own.save_pretrained(tmp_path / "x"),
    ):  # fmt: skip
        with pytest.raises(NotFittedError, match=r"no weights yet: use SetEncoder\.from_pretrained"):
            ask(SetEncoder())
    assert not (tmp_path / "x").exists()
    assert SetEncoder(tiles=3).get_params() == {"tiles": 3, "seed": 0}
    assert repr(SetEncoder(tiles=3)) == "SetEncoder(tiles=3)"


def test_an_encoder_of_before_the_new_names_still_loads(tmp_path):
    config, tensors = load_model(SHIPPED, "set_encoder")
    parameters = {"patches_per_image": 3, "seed": 5}
    for path in SHIPPED.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    save_config(tmp_path, {**config, "parameters": parameters})
    assert SetEncoder.from_pretrained(tmp_path).get_params() == {"tiles": 3, "seed": 5}
    save_config(tmp_path, {**config, "parameters": {"unheard_of": 1}})
    with pytest.raises(WeightsError, match="not a complete set encoder"):
        SetEncoder.from_pretrained(tmp_path)
    assert len(tensors) > 0
