"""Models: fingerprinter, scorer and population, saved and loaded as one, with one identity."""

import json
from dataclasses import replace

import numpy as np
import pytest

from genprint.baselines.content import ColourQuantiles
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.encoder.encoder import SHIPPED
from genprint.encoder.training.loop import TrainingResult
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import CONDITIONS
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA
from genprint.storage.weights import WeightsError, load_model, save_config, save_model
from tests.conftest import model_of_sources, textured


def sets_of(rng, images=20, **grains):
    return [ImageSet.from_array(textured(rng, images, grain=grain), name) for name, grain in grains.items()]


def test_save_and_load_change_nothing(small_model, tmp_path, rng):
    small_model.save(tmp_path)
    again = Model.load(tmp_path)
    images = sets_of(rng, 6, a=20.0)
    assert (again.fingerprinter.transform(images) == small_model.fingerprinter.transform(images)).all()
    assert again.identity == small_model.identity
    assert again.weights_digest == small_model.weights_digest
    assert again.fingerprinter.extractor_id == small_model.fingerprinter.extractor_id
    for name in ("mean", "within", "between"):
        assert np.array_equal(getattr(again.plda, name), getattr(small_model.plda, name))
    assert again.population.to_dict() == small_model.population.to_dict()
    for name, values in small_model.population.arrays().items():
        assert np.array_equal(again.population.arrays()[name], values)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert again.origin == str(tmp_path.resolve())


def test_weights_of_parts_are_saved(small_model, tmp_path):
    weighted = replace(small_model, scorer=replace(small_model.plda, weights=np.array([1.0, 3.0])), origin=None)
    weighted.save(tmp_path)
    again = Model.load(tmp_path)
    assert again.plda.shares == pytest.approx([0.25, 0.75])
    assert again.identity != small_model.identity


def test_the_shipped_model_is_what_its_files_say(shipped):
    config, _ = load_model(SHIPPED, "set_encoder")
    assert shipped.weights_digest == config["sha256"]
    assert replace(shipped).weights_digest == config["sha256"]  # worked out from what was loaded
    assert shipped.fingerprinter.extractor_id in shipped.identity
    assert shipped.identity.endswith(f", PLDA {config['sha256']}")
    assert (shipped.origin, shipped.name) == ("shipped:thumbnails", "thumbnails")
    assert shipped.fingerprinter.parts == len(shipped.plda.within) == 2


def test_a_damaged_threshold_is_refused(small_model, tmp_path):
    small_model.save(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text()
    assert '"rate": 0.1' in text
    config.write_text(text.replace('"rate": 0.1', '"rate": 0.01'))
    with pytest.raises(WeightsError, match=r"config\.json: damaged"):
        Model.load(tmp_path)


def test_a_damaged_weight_is_refused(small_model, tmp_path):
    small_model.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match=r"model\.safetensors: damaged"):
        Model.load(tmp_path)


def test_an_encoder_alone_is_no_model(small_model, tmp_path):
    small_model.fingerprinter.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="without its scorer and population"):
        Model.load(tmp_path)
    with pytest.raises(WeightsError, match="no such file"):
        Model.load(tmp_path / "missing")
    save_model(tmp_path / "x", "set_encoder", {"parameters": {}, "network": {}}, {}, "")
    with pytest.raises(WeightsError, match="not a complete set encoder"):
        Model.load(tmp_path / "x")


def test_a_model_of_before_the_new_names_still_loads(small_model, tmp_path):
    small_model.save(tmp_path)
    config = {k: v for k, v in json.loads((tmp_path / "config.json").read_text()).items() if k != "config_sha256"}
    conditions = config["verification"].pop("conditions")
    config["verification"]["states"] = ["none", *conditions[1:]]
    config["parameters"] = {"patches_per_image": 8, "seed": 0}
    save_config(tmp_path, config)
    again = Model.load(tmp_path)
    assert again.population.conditions == small_model.population.conditions
    assert again.identity == small_model.identity


def test_a_scorer_or_population_of_other_sources_makes_another_model_of_the_same_features(small_model, rng):
    known = {s.name: small_model.fingerprint(s) for s in sets_of(rng, 12, a=3.0, b=20.0, c=60.0)}
    refitted = small_model.calibrated(small_model.plda.adapt(known.values()), known, "three")
    assert refitted.fingerprinter.extractor_id == small_model.fingerprinter.extractor_id
    assert refitted.identity != small_model.identity
    assert refitted.population.population == "three"
    assert small_model.population.population == "golden images"  # that is left as it was
    bare = replace(small_model, scorer=LDA(), population=None)
    assert bare.fingerprinter.extractor_id == small_model.fingerprinter.extractor_id
    assert len({bare.identity, refitted.identity, small_model.identity}) == 3


def test_models_of_which_nothing_was_learned(tmp_path):
    model = Model(ColourQuantiles())
    assert model.weights_digest == ""
    assert model.identity == "colour features=1, LDA"
    with pytest.raises(NotImplementedError, match="a model of colour has nothing learned to save"):
        model.save(tmp_path)
    with pytest.raises(ValueError, match="scorer is a PLDA, not LDA"):
        _ = model.plda
    with pytest.raises(ValueError, match="only a set encoder can be fine-tuned, not colour"):
        model.fit([], [])
    assert isinstance(model_of_sources(np.eye(2)).plda, PLDA)


def test_fingerprints_and_their_conditions_are_kept_in_the_cache(tmp_path, rng):
    (images,) = sets_of(rng, 3, a=20.0)
    model, told = Model(NeighbourhoodCovariance(), cache=Cache(tmp_path / "c.sqlite")), []
    whole = model.fingerprint(images, told.append)
    assert sum(told) == 3
    after = whole.under(Jpeg(77))
    extractor = model.fingerprinter.extractor_id
    for maker, found in ((extractor, whole), (f"{extractor} after {Jpeg(77)!r}", after)):
        assert np.array_equal(model.cache.features(maker, whole.digests), found.values)


def test_a_population_is_calibrated_in_the_conditions_that_are_wanted(small_model, rng):
    known = {s.name: small_model.fingerprint(s) for s in sets_of(rng, 4, a=3.0, b=60.0)}
    made = small_model.calibrated(small_model.plda, known, "two", [Jpeg(77)])
    assert made.population.conditions == ("original", "JPEG 77")


@pytest.mark.slow
def test_fitting_renews_scorer_and_population(small_model, tmp_path, rng):
    sets = sets_of(rng, a=3.0, b=20.0, c=60.0)
    before = small_model.identity
    fitted = small_model.fit(sets, [s.name for s in sets], steps=20)
    assert fitted.training.best_loss <= fitted.training.first_loss
    assert fitted.after >= fitted.before
    assert fitted.model.population.sources == 3
    assert fitted.model.population.population == "3 sources that it was fitted to"
    assert list(fitted.model.population.conditions) == ["original", *CONDITIONS]
    fitted.model.save(tmp_path)
    again = Model.load(tmp_path)
    assert again.fingerprinter.transform(sets).shape[0] == 3
    # a gallery that was enrolled with the one can be asked with the other, and not with what it was fitted from
    assert again.identity == fitted.model.identity
    assert again.fingerprinter.extractor_id != small_model.fingerprinter.extractor_id
    assert small_model.identity == before


def test_a_model_that_fine_tuning_spoils_stays_as_it_was(small_model, rng, monkeypatch):
    def spoil(network, *_, **__):
        for parameter in network.parameters():
            parameter.data.zero_()
        return TrainingResult(1, 1, 0.0, 1.0, ())

    monkeypatch.setattr("genprint.encoder.training.finetuning.train", spoil)
    fitted = small_model.fit(sets_of(rng, a=3.0, b=60.0), ["a", "b"])
    assert (fitted.before, fitted.after) == (1.0, 0.5)
    assert fitted.model is small_model
    assert np.isfinite(small_model.fingerprinter.transform(sets_of(rng, a=3.0))).all()  # it was not touched


def test_fitting_again_with_more_sources_starts_anew(small_model, tmp_path, rng):
    sets = sets_of(rng, 10, a=3.0, b=20.0, c=60.0)
    small_model.fit(sets[:2], ["a", "b"], steps=2, checkpoint=tmp_path / "c")
    assert (tmp_path / "c").exists()
    with pytest.raises(WeightsError, match="remove it"):
        small_model.fit(sets, ["a", "b", "c"], steps=2, checkpoint=tmp_path / "c")


def test_models_can_be_compared_and_kept_in_sets(small_model, small_model_folder):
    assert small_model == small_model
    assert small_model != Model.load(small_model_folder)
    assert len({small_model, small_model.plda, small_model.population}) == 3
