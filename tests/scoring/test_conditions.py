"""Conditions: probes that went through something are compared with enrolled images that did too."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import golden
from genprint.answers.attribution import Identifier
from genprint.answers.mixture import unmix
from genprint.fingerprints.conditions import CONDITIONS, KEPT, ORIGINAL
from genprint.gallery.enrolled import EnrolledIn
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.decoding import FileFacts
from genprint.images.processing import Blur, Chain, Jpeg, Noise, Resize, Scale, Shift
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer
from genprint.scoring.conditions import MARGIN, candidates, likeliest, match, side_of
from genprint.scoring.lda import LDA
from genprint.scoring.matching import Matched, can_match, few, in_condition
from genprint.scoring.plda import PLDA
from genprint.scoring.population import ReferencePopulation
from genprint.scoring.told import Told
from tests.conftest import Named, drawn_digests, given, model_of_sources, textured

ENROLLED = 24


def real_samples():
    """Samples of shipped generators, none of them a flow (these sample slowly)."""
    folders = [folder for folder in demonstrated() if not folder.name.startswith("flow")][:5]
    return {folder.name: sample(load(folder)[0], folder.name, ENROLLED + 20) for folder in folders}


@pytest.fixture(scope="module")
def images():
    return real_samples()


@pytest.fixture(scope="module")
def middle_model(images, shipped):
    """The shipped model cut to 192 discriminants a tower: it finds conditions as the whole does, in far less time."""
    return golden.small_model(shipped, {name: own[:4] for name, own in images.items()}, 192)


@pytest.fixture(scope="module")
def gallery(images, middle_model):
    return {name: middle_model.fingerprint(ImageSet.from_array(own[:ENROLLED], name)) for name, own in images.items()}


@pytest.fixture
def probes(images, middle_model):
    def after(processing):
        return {
            name: middle_model.fingerprint(ImageSet.from_array(processing(own[ENROLLED:]), name))
            for name, own in images.items()
        }

    return after


@pytest.mark.slow
def test_a_jpeg_probe_is_told_by_a_lossless_gallery(middle_model, gallery, probes):
    blind, matched = Identifier(middle_model, gallery, conditions=False), Identifier(middle_model, gallery)
    asked = probes(Jpeg(60))
    nearest = [blind.identify(own).evidence.candidates[0].source == name for name, own in asked.items()]
    answers = {name: matched.identify(own) for name, own in asked.items()}
    assert np.mean(nearest) < 0.5
    assert np.mean([answer.evidence.candidates[0].source == name for name, answer in answers.items()]) > 0.7
    unmixed = [unmix(middle_model, gallery, own, draws=50) for own in asked.values()]
    assert {found.condition for found in [*answers.values(), *unmixed]} <= {"JPEG 70", "JPEG 50"}


@pytest.mark.slow
def test_a_probe_cropped_and_saved_is_taken_for_that(middle_model, gallery, probes):
    asked = probes(Chain((Shift(3, 5), Jpeg(75))))
    enrolled = EnrolledIn(middle_model, gallery)
    assert {enrolled.match([own])[0].condition for own in asked.values()} == {"shift 1,1, JPEG 82"}


@pytest.mark.slow
def test_lossless_probes_are_compared_with_the_images_as_they_are(middle_model, gallery, probes):
    asked = probes(Chain(()))
    matched, blind = Identifier(middle_model, gallery), Identifier(middle_model, gallery, conditions=False)
    for own in asked.values():
        answer = matched.identify(own)
        assert answer.condition == ORIGINAL
        assert answer == blind.identify(own)
    scores = [
        comparer.score(list(asked.values()), list(gallery.values()))
        for comparer in (Matched(middle_model.scorer, middle_model.population), ByScorer(middle_model.scorer))
    ]
    assert np.allclose(*scores)


def test_features_in_a_condition_are_those_of_the_processed_images(small_model, rng):
    images = textured(rng, 5)
    encoder = small_model.fingerprinter
    whole = encoder.extract(ImageSet.from_array(images, "a"), batch=2)
    for name, processing in CONDITIONS.items():
        found = whole.under(processing)
        processed = encoder.extract(ImageSet.from_array(processing(images), "a"))
        # In batches of another size, float32 comes out up to 5e-5 apart; no two conditions come nearer than 0.9.
        assert np.allclose(found.values, processed.values, atol=1e-3), name
        assert found.digests == whole.digests
    assert np.allclose(whole[[3]].under(Jpeg(90)).values, whole.under(Jpeg(90)).values[3:4], atol=1e-3)


# Of features that are given. Both are among CONDITIONS, so that they are looked for where nothing says which to.
SIZE, NEAR, FAR = 12, Jpeg(90), Shift(1, 1)


@pytest.fixture
def model():
    return model_of_sources(4 * np.eye(SIZE))


def known_in(rng, *conditions, sources=4, images=30):
    """Sources that conditions take each somewhere else."""
    found = {}
    for i in range(sources):
        values = 2 * rng.normal(size=SIZE) + rng.normal(size=(images, SIZE))
        moved = {processing: values + 6 * (j + 1) for j, processing in enumerate(conditions)}
        found[f"s{i}"] = given(values, f"s{i}", drawn_digests(rng, images), conditions=moved)
    return found


class InAny:
    """A gallery in any condition, by so many images of each source, which says what it was asked for."""

    def __init__(self, scorer, known, most, asked):
        self._scorer, self._known, self._most, self._asked = scorer, list(known.values()), most, asked

    def __call__(self, processing):
        self._asked.append((processing, self._most))
        made = in_condition(self._known, processing, self._most)
        return self._scorer.adapt(made).enroll(made)


def in_any(model, known):
    """By a few images and by many, and what both were asked for."""
    asked = []
    return InAny(model.scorer, known, few(len(known)), asked), InAny(model.scorer, known, KEPT, asked), asked


def read_again(known):
    """How many images were, of all sources."""
    return sum(len(digests) for own in known.values() for one in own.originals for _, digests in one.asked)


def test_a_probe_is_matched_with_the_condition_that_explains_it(model, rng):
    known = known_in(rng, NEAR, FAR)
    tried, whole, asked = in_any(model, known)
    for own in known.values():
        some = own[[0, 1, 2, 3]]
        for processing in (NEAR, FAR):
            assert match(tried, whole, [NEAR, FAR], Told.of([some.under(processing)]))[0] == processing
        assert match(tried, whole, [NEAR, FAR], Told.of([some]))[0] is None
    # a pile of several sources' images in one condition
    pile = [own.under(FAR)[[i]] for own in known.values() for i in range(5)]
    assert match(tried, whole, [NEAR, FAR], Told.of(pile))[0] == FAR
    assert match(tried, whole, [NEAR], Told.of(pile))[0] == NEAR  # the best of those there are
    asked.clear()
    assert match(tried, whole, [], Told.of(pile))[0] is None
    assert not asked


def test_a_condition_has_to_explain_a_probe_by_the_margin(model, rng):
    known = known_in(rng, NEAR)
    tried, whole, _ = in_any(model, known)
    probe = known["s0"][[0, 1, 2, 3]]

    def moved(share):
        return given(probe.values + share * 6, "moved")

    def gain(asked, gallery):
        densities = [np.logaddexp.reduce(gallery(processing).log_density([asked])[0]) for processing in (None, NEAR)]
        return densities[1] - densities[0]

    shares = np.linspace(0, 1, 60)
    gains = [(gain(moved(share), tried), gain(moved(share), whole)) for share in shares]
    found = [match(tried, whole, [NEAR], Told.of([moved(share)]))[0] for share in shares]
    assert found == [NEAR if few > 0 and more > MARGIN else None for few, more in gains]
    assert {None, NEAR} == set(found)
    assert any(0 < more <= MARGIN for _, more in gains)


def test_few_images_are_tried_before_many(model, rng):
    likely = [NEAR, FAR]
    for sources, some in ((1, 64), (4, 16), (40, 2)):
        known = known_in(rng, NEAR, FAR, sources=sources, images=70)
        tried, whole, asked = in_any(model, known)
        assert match(tried, whole, likely, Told.of([known["s0"][[0, 1, 2, 3]].under(FAR)]))[0] == FAR
        # all are tried on few, and the best alone is made of more
        assert asked == [(None, some), (NEAR, some), (FAR, some), (FAR, KEPT), (None, KEPT)]
        asked.clear()
        assert match(tried, whole, likely, Told.of([known["s0"][[0, 1, 2, 3]]]))[0] is None
        assert asked == [(None, some), (NEAR, some), (FAR, some)]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_rough_model_explains_probes_nearly_as_the_whole_one(rng, parts):
    size = 8
    plda = PLDA(np.zeros(parts * size), np.stack([np.eye(size)] * parts), 4 * np.stack([np.eye(size)] * parts), 50)
    wide = np.repeat(rng.uniform(0.6, 1, size), parts)
    sources = [
        given(2 * rng.normal(size=parts * size) + wide * rng.normal(size=(60, parts * size)), parts=parts)
        for _ in range(5)
    ]
    probes = [given(source.values[:2] + 0.1, "probe", parts=parts) for source in sources]
    exact, found = plda.adapt(sources).enroll(sources).log_density(probes), plda.roughly(sources).log_density(probes)
    assert (exact.argmax(1) == found.argmax(1)).all()
    # As if images varied as the scorer has learned, they are explained far worse.
    assert abs(plda.enroll(sources).log_density(probes) - exact).mean() > 3 * abs(found - exact).mean()


def test_no_more_images_are_read_than_that(model, rng):
    known = known_in(rng, NEAR, FAR, images=70)
    enrolled, told = EnrolledIn(model, known), []
    probe = known["s2"][[0, 1, 2, 3]].under(FAR)
    for own in known.values():
        own.originals[0].asked.clear()
    found, _ = enrolled.match([probe], told.append)
    assert (found.condition, [len(own) for own in found.fingerprints]) == (FAR.name, [KEPT] * 4)
    assert read_again(known) == len(CONDITIONS) * 4 * 16 + 4 * KEPT
    assert sum(told) == read_again(known)


def test_scores_are_those_of_the_matched_condition(model, rng):
    known = known_in(rng, NEAR, FAR)
    gallery = list(known.values())
    asked = [own[[0, 1, 2, 3]].under(FAR) for own in gallery] + [own[[4, 5]] for own in gallery]
    scores = Matched(model.scorer).score(asked, gallery)
    far = [own.under(FAR) for own in gallery]
    assert np.allclose(scores[:4], ByScorer(model.scorer).score(asked[:4], far))
    assert np.allclose(scores[4:], ByScorer(model.scorer).score(asked[4:], gallery))
    assert not np.allclose(scores[:4], ByScorer(model.scorer).score(asked[:4], gallery))
    bare = [*gallery[:3], replace(gallery[3], originals=())]
    assert not can_match(bare)
    assert not can_match([])
    assert np.allclose(Matched(model.scorer).score(asked, bare), ByScorer(model.scorer).score(asked, bare))


def test_a_source_without_originals_leaves_the_original_condition_alone(model, rng):
    known = known_in(rng, NEAR, FAR)
    asked = given(known["s1"].under(NEAR).values[:5] + 0.01, "probe")
    answer = Identifier(model, known).identify(asked, grown=False)
    assert (answer.condition, answer.evidence.candidates[0].source) == (NEAR.name, "s1")
    known["s0"] = replace(known["s0"], originals=())
    assert Identifier(model, known).identify(asked, grown=False).condition == ORIGINAL


def saved(probe, *kinds):
    """The probe, its files saved like that in turn: as JPEG of a quality and subsampling, or else as PNG."""
    facts = [FileFacts("JPEG", "RGB", *kind) if kind else FileFacts("PNG", "RGB") for kind in kinds]
    return replace(probe, facts=tuple(facts[i % len(facts)] for i in range(len(probe))))


def original(scorer, known):
    made = list(known.values())
    return scorer.adapt(made).enroll(made)


def test_without_a_population_all_conditions_are_candidates(model, rng):
    known = known_in(rng)
    probe = known["s0"][[0, 1]]
    assert candidates(Told.of([probe]), original(model.scorer, known), model.scorer, None) == list(CONDITIONS.values())
    # of a scorer that has learned nothing, what the files say alone
    assert candidates(Told.of([probe]), original(LDA(), known), LDA(), None) == []
    assert candidates(Told.of([saved(probe, (85, "4:2:0"))]), original(LDA(), known), LDA(), None) == [Jpeg(85)]


def population_in(rng, model, *conditions):
    return ReferencePopulation.fit(model.plda, known_in(rng, *conditions, sources=12), "a dozen", conditions=conditions)


JPEG_FILES = {
    "one quality": ([(85, "4:2:0")], Jpeg(85)),
    "all colours": ([(92, "4:4:4")], Jpeg(92, "4:4:4")),
    "one of two": ([(71, "4:2:2")], Jpeg(71, "4:2:2")),
    "two thirds of them": ([(85, "4:2:0"), (85, "4:2:0"), None], Jpeg(85)),
    "half of them": ([(85, "4:2:0"), None], None),
    "several qualities": ([(85, "4:2:0"), (90, "4:2:0")], None),
    "several subsamplings": ([(85, "4:2:0"), (85, "4:4:4")], None),
    "an unknown quality": ([(None, "4:2:0")], None),
    "grey": ([(85, None)], None),
    "no JPEG": ([None], None),
}


@pytest.mark.parametrize("case", JPEG_FILES)
@pytest.mark.parametrize("alone", [False, True])
def test_how_files_were_saved_names_the_condition(model, rng, case, alone):
    kinds, expected = JPEG_FILES[case]
    known = known_in(rng)
    enrolled = original(model.scorer, known)
    probe = saved(known["s0"][np.arange(6)], *kinds)
    asked = [probe[[i]] for i in range(6)] if alone else [probe]
    found = candidates(Told.of(asked), enrolled, model.scorer, population_in(rng, model, NEAR))
    assert found == ([expected] if expected else [])  # the probe is otherwise as it was made
    without = candidates(Told.of(asked), enrolled, model.scorer, None)
    if not expected:
        assert without == list(CONDITIONS.values())
        return
    assert without[0] == expected
    # beside it, what comes before saving
    steps = (Resize(0.75), Blur(0.5), Blur(1.0), Noise(2), Noise(5), Shift(0, 1), Shift(1, 0), Shift(1, 1))
    assert without[1:] == [Chain((step, expected)) for step in steps]


def test_conditions_are_looked_for_where_processing_is_expected_to_have_moved_the_probe(model, rng):
    cropped = Chain((Shift(1, 1), Jpeg(82)))
    population = population_in(rng, model, NEAR, cropped, Shift(1, 1))
    known = known_in(rng, NEAR, cropped, Shift(1, 1))
    enrolled = original(model.scorer, known)
    for own in known.values():
        some = own[[0, 1, 2, 3]]
        assert candidates(Told.of([some]), enrolled, model.scorer, population) == []
        for processing in (NEAR, cropped, Shift(1, 1)):
            found = candidates(Told.of([some.under(processing)]), enrolled, model.scorer, population)
            assert found[0] == processing
            assert len(found) <= 3
        # of a JPEG, its own quality and subsampling stand in the place of those that are looked for
        as_jpeg = saved(some.under(cropped), (91, "4:4:4"))
        found = candidates(Told.of([as_jpeg]), enrolled, model.scorer, population)
        assert found[0] == Jpeg(91, "4:4:4")
        assert Chain((Shift(1, 1), Jpeg(91, "4:4:4"))) in found
        assert all(one.steps[-1] == Jpeg(91, "4:4:4") for one in found[1:])


def sized(fingerprint, side):
    """The fingerprint, its images as large as that."""
    return replace(fingerprint, originals=tuple(replace(one, sides=(side,)) for one in fingerprint.originals))


@pytest.mark.parametrize(
    ("own", "known_side", "share"), [(399, 532, 0.75), (512, 512, None), (1024, 512, None), (50, 512, None)]
)
def test_sizes_tell_a_resizing(model, rng, own, known_side, share):
    known = {name: sized(source, known_side) for name, source in known_in(rng, NEAR).items()}
    population, side = population_in(rng, model, NEAR), side_of(list(known.values()))
    assert side == known_side
    enrolled, probe = original(model.scorer, known), sized(known["s0"][np.arange(6)], own)
    expected = [Scale(share)] if share else []
    assert candidates(Told.of([probe]), enrolled, model.scorer, population, side) == expected
    # saved after it; of large images, perhaps cropped before that
    as_jpeg = saved(probe, (85, "4:2:0"))
    shifts = [Shift(0, 1), Shift(1, 0), Shift(1, 1)] if own > 64 else []
    chains = [Chain((step, Jpeg(85))) for step in [*shifts, *expected]]
    assert candidates(Told.of([as_jpeg]), enrolled, model.scorer, population, side) == [Jpeg(85), *chains]
    # where the size of any enrolled image is not known, nothing is said of it
    assert side_of([*known.values(), given(np.zeros((2, SIZE)))]) is None
    assert candidates(Told.of([probe]), enrolled, model.scorer, population, None) == []


def test_what_a_header_says_is_so(model, rng):
    known = known_in(rng, NEAR, FAR)
    tried, whole, asked = in_any(model, known)
    probe = saved(known["s0"][[0]], (90, "4:2:0"))
    assert match(tried, whole, [NEAR], Told.of([probe]))[0] == NEAR  # a single image, and one that hardly differs
    assert not asked
    assert match(tried, whole, [NEAR], Told.of([replace(probe, facts=())]))[0] is None
    # only what came before it is looked for
    for processing in (NEAR, FAR):
        moved = saved(known["s0"][[0]].under(processing), (90, "4:2:0"))
        asked.clear()
        assert match(tried, whole, [NEAR, FAR], Told.of([moved]))[0] == processing
        assert asked == [(NEAR, few(4)), (FAR, few(4))]


def test_noise_shows_in_the_spread(model, rng):
    """It moves no mean."""
    sources = {}
    for i in range(12):
        values = 2 * rng.normal(size=SIZE) + rng.normal(size=(30, SIZE))
        noise = 24 * rng.normal(size=values.shape)
        noisy = values + noise - noise.mean(0)
        sources[f"s{i}"] = given(values, f"s{i}", drawn_digests(rng, 30), conditions={Noise(5): noisy})
    population = ReferencePopulation.fit(model.plda, sources, "a dozen", conditions=(Noise(5),))
    enrolled = original(model.scorer, sources)
    assert candidates(Told.of([sources["s0"][[0, 1]]]), enrolled, model.scorer, population) == []
    probe = sources["s0"].under(Noise(5))
    assert candidates(Told.of([probe[[i]] for i in range(10)]), enrolled, model.scorer, population) == [Noise(5)]


def test_of_an_unprocessed_probe_no_image_is_read_again(model, rng):
    known = known_in(rng, NEAR, FAR)
    matched = Identifier(replace(model, population=population_in(rng, model, NEAR, FAR)), known)
    probe = given(known["s1"].values[:5] + 0.01, "probe")
    answer = matched.identify(probe)
    assert (answer.condition, answer.evidence.candidates[0].source) == (ORIGINAL, "s1")
    assert answer == Identifier(model, known, conditions=False).identify(probe)
    assert read_again(known) == 0
    assert matched.identify(given(known["s1"].values[:5] + 6.01, "probe")).condition == NEAR.name
    assert read_again(known) > 0  # it would have been told


def test_a_jpeg_that_was_saved_well_is_answered_as_it_was_made(model, rng):
    known = known_in(rng, NEAR)
    matched = Identifier(replace(model, population=population_in(rng, model, NEAR)), known)
    probe = given(known["s1"].values[:5] + 0.01, "probe")
    answer = matched.identify(saved(probe, (100, "4:4:4")))
    assert (answer.condition, answer.decision) == ("JPEG 100 4:4:4", matched.identify(probe).decision)
    assert {processing for processing, _ in known["s0"].originals[0].asked} == {Jpeg(100, "4:4:4")}


def test_a_population_in_other_conditions_says_nothing_of_these(model, rng):
    known = known_in(rng)
    population = population_in(rng, model, Named("squeeze"))
    found = candidates(Told.of([known["s0"][[0, 1]]]), original(model.scorer, known), model.scorer, population)
    assert found == list(CONDITIONS.values())


def test_threads_make_a_condition_once(model, rng):
    known = known_in(rng, NEAR)
    enrolled = EnrolledIn(model, known)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: enrolled(NEAR), range(8)))
    assert all(one is made[0] for one in made)
    assert [len(own.originals[0].asked) for own in known.values()] == [1] * 4


def test_what_files_and_sizes_do_not_tell_has_to_be_clearly_likelier():
    last, resized = Jpeg(80), Chain((Scale(0.75), Jpeg(80)))
    shifted = Chain((Shift(1, 1), Jpeg(80)))
    assert likeliest({last: 0.0, resized: 1.0, shifted: 10.0}, last) == (resized, None)
    assert likeliest({last: 0.0, resized: 1.0, shifted: 12.0}, last) == (shifted, 11.0)
    assert likeliest({last: 0.0, shifted: -5.0}, last) == (last, None)
