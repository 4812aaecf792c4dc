"""Images of mixed size: every method takes them, by the one rule of its kind."""

import numpy as np
import pytest

from genprint.baselines import dnadet
from genprint.baselines.classifier import Classifier, RawPixels, as_pixels
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.baselines.marra import MeanResidual
from genprint.baselines.pixels import FixedSize, common_side
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.residuals import middle, to_pixels
from genprint.images.sets import ImageSet, ImageSetError
from tests.conftest import encoded, textured

SHAPES = ((32, 32), (48, 40), (96, 64))


def of_shape(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> np.ndarray:
    return textured(rng, 1, side=max(shape), grain=grain)[0, : shape[0], : shape[1]]


def mixed(rng: np.random.Generator, name: str, count: int = 6, grain: float = 20.0) -> ImageSet:
    return ImageSet.of([of_shape(rng, SHAPES[i % 3], grain) for i in range(count)], name)


@pytest.fixture(scope="module")
def sets() -> dict[str, ImageSet]:
    rng = np.random.default_rng(4)
    return {name: mixed(rng, name, grain=grain) for name, grain in (("a", 5), ("b", 40), ("c", 5), ("d", 40))}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_scores_sets_of_mixed_sizes(name, sets, small_model, monkeypatch):
    monkeypatch.setattr(dnadet, "_PREPARING_STEPS", 1)
    real = mixed(np.random.default_rng(5), "real", count=9)
    reader = METHODS[name].reader(small_model, real, list(sets.values()))
    gallery, probes = [reader.extract(sets[x]) for x in "ab"], [reader.extract(sets[x]) for x in "cd"]

    def score(asked):
        comparer = METHODS[name].comparer(small_model)
        if isinstance(comparer, Classifier):
            comparer.steps = 2
        return comparer.score(asked, gallery)

    scores = score(probes)
    assert scores.shape == (2, 2)
    assert np.isfinite(scores).all()
    assert (score([reader.extract(sets[x]) for x in "cd"]) == scores).all()
    turned = [reader.extract(ImageSet.of([image.pixels for image in sets[x]][::-1], x)) for x in "cd"]
    for asked, again in zip(probes, turned, strict=True):
        assert again.digests == asked.digests[::-1]
        close = np.allclose(again.values[::-1], asked.values, atol=1e-4 * max(1.0, float(np.abs(asked.values).max())))
        assert close
    assert np.allclose(score(turned), scores, atol=1e-4 * max(1.0, float(np.abs(scores).max())))


def test_features_of_mixed_images_are_those_of_each_image_alone(sets, small_model):
    for name in METHODS:
        if METHODS[name].of_real:
            continue
        reader = METHODS[name].reader(small_model, None, list(sets.values()))
        together = reader.extract(sets["a"]).values
        alone = [reader.extract(ImageSet.of([image.pixels], "one")).values[0] for image in sets["a"]]
        assert np.allclose(together, alone, atol=1e-4 * max(1.0, float(np.abs(together).max()))), name


def test_whole_images_are_taken_whole_and_others_by_their_middle(rng):
    image = of_shape(rng, (96, 64), 20)
    images = ImageSet.of([image, of_shape(rng, (32, 40), 20)], "x")
    assert common_side([images]) == 32
    whole = NeighbourhoodCovariance().extract(images).values[0]
    assert np.allclose(whole, NeighbourhoodCovariance().describe(to_pixels(image[None]))[0], atol=1e-4)
    cut = image[32:64, 16:48]  # (96 - 32) / 2 and (64 - 32) / 2 are on the grid
    assert (middle(image, 32) == cut).all()
    for front in (MeanResidual(32), RawPixels(32)):
        assert (front.extract(images).values[0] == front.describe(to_pixels(cut[None]))[0]).all()


def test_the_middle_begins_on_the_grid(rng):
    image = of_shape(rng, (61, 47), 20)
    assert (middle(image, 40) == image[8:48, 0:40]).all()  # 10 and 3 px from the borders, down to 8 and 0
    with pytest.raises(ImageSetError, match="47 x 61 px has no part of 48 x 48 px"):
        middle(image, 48)


def test_images_of_one_size_are_as_they_were(rng, small_model):
    images = ImageSet.from_array(textured(rng, 3)[:, :, :24], "x")
    assert common_side([images]) is None
    for name in ("marra", "spectrum", "frank", "durall", "dzanic"):
        reader = METHODS[name].reader(small_model, None, [images])
        pixels = to_pixels(images.to_array())
        assert (reader.extract(images).values == reader.describe(pixels).astype(np.float32)).all()
    squares = as_pixels(METHODS["yu"].reader(small_model, None, [images]).extract(images))
    assert (squares == to_pixels(images.to_array())[:, :, :24]).all()  # learned peers take squares: (32 - 24) / 2 to 0


def test_all_that_is_compared_has_one_side(rng, small_model):
    one, other = (ImageSet.from_array(textured(rng, 4, side=side), "x") for side in (32, 24))
    real = ImageSet.from_array(textured(rng, 4, side=20), "real")
    assert METHODS["marra"].reader(small_model, real, [one, other]).side == 24
    assert METHODS["manifpt_rgb"].reader(small_model, real, [one, other]).side == 20
    assert METHODS["manifpt_rgb"].reader(small_model, real, [one, other]).extract(one).values.shape == (4, 3 * 20 * 20)


def test_without_a_side_mixed_sizes_are_an_error_that_says_so(rng):
    with pytest.raises(ImageSetError, match="one size, or a side"):
        MeanResidual().extract(mixed(rng, "x"))


def test_sizes_are_read_from_headers(tmp_path, rng):
    from PIL import Image

    for i, shape in enumerate(SHAPES):
        (tmp_path / f"{i}.png").write_bytes(encoded(Image.fromarray(of_shape(rng, shape, 20))))
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "small.png").write_bytes(encoded(Image.fromarray(of_shape(rng, (8, 8), 20))))
    assert list(ImageSet.read(tmp_path).sizes()) == list(SHAPES)
    held = [of_shape(rng, (48, 40), 20), Image.fromarray(of_shape(rng, (32, 40), 20))]
    assert list(ImageSet.of(held, "x").sizes()) == [(48, 40), (32, 40)]


def test_every_method_that_needs_one_size_has_a_side(small_model):
    fixed = {name for name, method in METHODS.items() if isinstance(method.fingerprinter(small_model), FixedSize)}
    learned = {name for name, method in METHODS.items() if isinstance(method.comparer(small_model), Classifier)}
    assert fixed == learned | {"marra", "spectrum", "durall", "dzanic", "frank"}
