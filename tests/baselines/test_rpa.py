"""RPA: its patches, their shares, its corruption, and that it learns generators."""

import numpy as np
import pytest
import torch

from genprint.baselines.rpa import RPANetwork, corrupted_patches, of_patches, places
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.residuals import to_pixels
from genprint.images.sets import ImageSet
from tests.conftest import textured


@pytest.mark.parametrize("length", [64, 65, 100, 128, 130, 384])
def test_every_pixel_counts_alike(length):
    found = places(length, 64)
    assert len(found) == -(-length // 64)
    assert (found[0][0], found[-1][0]) == (0, length - 64)
    covered = np.zeros(length, int)
    for start, _ in found:
        covered[start : start + 64] += 1
    assert covered.min() == 1  # none is missed
    assert sum(share for _, share in found) == pytest.approx(1)
    for start, share in found:
        assert share == pytest.approx(sum(1 / covered[i] for i in range(start, start + 64)) / length)


def test_an_images_logits_are_the_mean_of_its_patches(rng):
    torch.manual_seed(0)
    network = RPANetwork(3, (8, 8, 8)).eval()
    image = to_pixels(textured(rng, 1, side=128))
    parts = [image[:, :, y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)]
    with torch.inference_mode():
        assert torch.allclose(network(image), torch.stack([network(part) for part in parts]).mean(0), atol=1e-6)
        apart = network(image) - network(parts[0])
    assert apart.abs().max() > 1e-4


def test_the_networks_size_is_the_papers():
    weights = sum(own.numel() for own in RPANetwork(25, (256, 512, 1024)).parameters())
    assert weights == pytest.approx(5.9e6, rel=0.02)


def test_patches_are_parts_of_their_image_mirrored_by_halves(rng):
    images = textured(rng, 30, side=80)
    patches = corrupted_patches(to_pixels(images), np.random.default_rng(1), chance=0)
    patches = patches.permute(0, 2, 3, 1).numpy().astype(np.uint8).reshape(30, 4, 64, 64, 3)
    mirrored = 0
    for image, own in zip(images, patches, strict=True):
        found = []
        for seen in (image, image[:, ::-1]):
            parts = np.lib.stride_tricks.sliding_window_view(seen, (64, 64, 3))[:, :, 0]
            found.append(all((parts == patch).all((2, 3, 4)).any() for patch in own))
        assert sum(found) == 1
        mirrored += found[1]
    assert 5 < mirrored < 25


def test_corruption_takes_grain_away_and_leaves_some_images(rng):
    pixels = to_pixels(textured(rng, 100, side=96))
    plain, changed = (corrupted_patches(pixels, np.random.default_rng(1), chance) for chance in (0, 0.5))
    assert changed.shape == plain.shape == (400, 3, 64, 64)
    grain = changed.std((2, 3)).mean(1).reshape(100, 4).mean(1)
    kept = (grain > 19).sum()  # an eighth goes through nothing; JPEG alone takes half of the colour's grain
    assert 4 <= kept < 30
    assert grain.min() < 8
    again = corrupted_patches(pixels, np.random.default_rng(1), 0.5)
    assert torch.equal(again, changed)


def test_loss_names_the_source_of_each_patch(rng):
    torch.manual_seed(0)
    network = RPANetwork(2, (4, 4, 4)).eval()
    patches = to_pixels(textured(rng, 8, side=64))
    expected = torch.nn.functional.cross_entropy(network(patches), torch.tensor([0] * 4 + [1] * 4))
    assert of_patches(network, patches, torch.tensor([0, 1])).item() == pytest.approx(expected.item())


def test_rpa_learns_its_gallery_whatever_the_corruption(rng):
    learned = METHODS["rpa"].comparer(None)
    learned.steps = 25
    reader = METHODS["rpa"].reader(None, None)
    gallery, probes = (
        [
            reader.extract(ImageSet.from_array(textured(rng, 16, side=24) // 4 + np.array(tint, np.uint8), "x"))
            for tint in np.eye(3) * 180
        ]
        for _ in range(2)
    )
    assert learned.score(probes, gallery).argmax(1).tolist() == [0, 1, 2]


@pytest.mark.slow
def test_rpa_tells_shipped_generators(golden_images):
    names = [f"{kind}-s{seed}" for kind in ("vae-conv", "gan-dcgan", "flow-wavelet") for seed in (0, 1)]
    reader, learned = METHODS["rpa"].reader(None, None), METHODS["rpa"].comparer(None)
    learned.steps = 80
    whole = [reader.extract(ImageSet.from_array(golden_images[name], name)) for name in names]
    gallery, probes = ([own[part] for own in whole] for part in (np.arange(24), np.arange(24, 40)))
    assert (learned.score(probes, gallery).argmax(1) == np.arange(6)).sum() >= 4  # by chance one
