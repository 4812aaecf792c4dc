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
from genprint.fingerprints.residuals import to_pixels
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
        found = {}
        for tile, share in zip(*cut_tiles(image, count, seed), strict=True):
            (place,) = [
                (top, left)
                for top in range(49)
                for left in range(49)
                if (image.pixels[top : top + 32, left : left + 32] == tile).all()
            ]
            found[place] = share * count
        return found

    assert all(top % 8 == left % 8 == 0 for top, left in places(16, 0))
    assert places(16, 0) == places(16, 0) != places(16, 1)
    assert sum(places(200, 0).values()) == pytest.approx(200)  # of 49 places, so that most are drawn several times
    (small,) = as_set(textured(rng, 1, side=32))
    for count in (8, None):
        ((only,), shares) = cut_tiles(small, count, 0)
        assert (only == small.pixels).all()
        assert shares == [1]


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [(64, 96, 2, 3), (71, 40, 2, 1), (20, 70, 1, 2)])
def test_all_tiles_cover_the_image_side_by_side(rng, height, width, rows, columns):
    (image,) = as_set(textured(rng, 1, side=96)[:, :height, :width])
    tiles, shares = cut_tiles(image, None, 0)
    assert tiles.shape == (rows * columns, min(32, height), 32, 3)
    assert shares.sum() == pytest.approx(1)
    lines = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
    assert (lines.reshape(-1, 32 * columns, 3) == image.pixels[: rows * tiles.shape[1], : 32 * columns]).all()


@pytest.mark.parametrize("tiles", [8, 100, None])
def test_features_of_a_large_image_are_the_mean_of_its_tiles(encoder, rng, tiles):
    encoder = copy.deepcopy(encoder).set_params(tiles=tiles)
    large, small = textured(rng, 2, side=72), textured(rng, 3)
    images = [*as_set(large), *as_set(small)]
    found = encoder._features(images)
    for image, features in zip(images, found, strict=True):
        cut, shares = cut_tiles(image, tiles, 0)
        with torch.inference_mode():
            each = encoder.network.eval().features(to_pixels(cut)).numpy()
        np.testing.assert_allclose(features, shares @ each, atol=1e-4)


def test_features_are_those_of_the_network_as_it_is_now(encoder, rng):
    encoder = copy.deepcopy(encoder)
    images = list(as_set(textured(rng, 3)))
    before = encoder._features(images)
    with torch.no_grad():
        encoder.network.towers[0].layers[1][1].bias.add_(0.5)
    after = encoder._features(images)
    assert not np.allclose(before, after)
    assert (after == copy.deepcopy(encoder)._features(images)).all()


@pytest.mark.parametrize("size", [(32, 32), (17, 24)])
def test_statistics_are_what_plain_formulas_give(encoder, rng, size):
    """In double precision, so that rounding hides nothing."""
    tower = copy.deepcopy(encoder.network.towers[0]).eval()
    pixels = to_pixels(textured(rng, 4)[:, : size[0], : size[1]])
    with torch.inference_mode():
        found = tower.statistics(pixels)
        maps = torch.cat([gain * view(pixels.double()) for view, gain in tower.front_ends], dim=1)
        parts = []
        for i, layer in enumerate(tower.double().layers):
            maps = layer(maps)
            values = maps.flatten(2)
            spread = (values.var(2, correction=0) + 1e-4).sqrt()
            mean = values.mean(2)
            parts += [mean, spread, mean / spread, spread.log()]
            if i < tower.correlated:
                inner = (values - mean.unsqueeze(2)) / spread.unsqueeze(2)
                one, other = torch.triu_indices(maps.shape[1], maps.shape[1], 1)
                parts.append((inner[:, one] * inner[:, other]).mean(2))
                down, right = (1 - 2.0 * (torch.arange(side) % 2).double() for side in size)
                phases = [down[:, None].expand(size), right.expand(size), torch.outer(down, right)]
                parts.append(torch.stack([(inner * phase.flatten()).mean(2) for phase in phases], -1).flatten(1))
    np.testing.assert_allclose(found, torch.cat(parts, 1), atol=1e-4)


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
