"""Attribution: which enrolled source made a probe, if any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from scipy.special import softmax

from genprint.answers.decision import MIN_POSTERIOR, Reason, decide
from genprint.answers.results import ATTRIBUTED, Attribution, Candidate, Evidence
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.enrolled import Enrolled, EnrolledIn
from genprint.gallery.index import Index
from genprint.gallery.recent import Recent
from genprint.gallery.store import GalleryStore, NotEnough
from genprint.images.processing import Processing
from genprint.model import Model
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.matching import in_condition
from genprint.scoring.threads import one_thread
from genprint.scoring.thresholds import smallest_rate

# Sources a probe is compared with by all means there are.
SHORTLIST = 200
# Images of each source that its vector in another condition is of, and conditions that these are held in at a time.
_INDEXED, _INDICES = 4, 8


class Identifier:
    """Compares probes with enrolled sources and says which made them, if any.

    An attribution passes three tests. No other source explains the probe about as well. The probe's images are
    exchangeable with the source's: a permutation test, which calls one in twenty of the true source's probes unknown.
    It would also call pictures (above 64 px) unknown that came in another condition than what is enrolled, however well
    that is matched: of these it is told and does not count. And the score (``genprint.scoring.cohort``) reaches a
    threshold, which is set on the enrolled sources: each in turn is left out, and sets of as many of its images put to
    all tests that count. At most the given rate of unknown sources, if they are like the enrolled ones, pass.

    Args:
        model: of the fingerprints.
        known: fingerprint of each enrolled source, by name.
        rate: of false attributions wanted; raised to 1 / (sources + 1), the least that the sources support.
        min_posterior: the best source has to reach it, else the answer is 'inconclusive'.
        conditions: whether probes that look processed are compared with the enrolled images after the same processing.
        cache: for what is learned of the sources, such as thresholds.
    """

    def __init__(
        self,
        model: Model,
        known: Mapping[str, Fingerprint],
        rate: float = 0.05,
        min_posterior: float = MIN_POSTERIOR,
        conditions: bool = True,
        cache: Cache | None = None,
    ):
        if not known:
            raise ValueError("no source is enrolled; enroll some, or give known sources")
        check_comparable(known.values())
        self.model, self.min_posterior = model, min_posterior
        self.known = {name: fingerprint.ordered() for name, fingerprint in known.items()}
        self.rate = max(rate, smallest_rate(len(known)))
        self.enrolled = EnrolledIn(model, self.known, conditions, cache)

    def threshold(self, images: int) -> tuple[float, int] | None:
        """The threshold for unprocessed probes of so many images, and the set size it was set at, if there is one."""
        return self.enrolled.original.threshold(images, self.rate, self.min_posterior)

    @one_thread
    def identify(self, probe: Fingerprint, grown: bool = True, progress: Progress | None = None) -> Attribution:
        """The answer to one probe.

        Images of the probe that are enrolled are left out: matching an image with itself is not evidence.

        Args:
            probe: its fingerprint.
            grown: whether with the likelihood ratio by number of images, too, which takes longest.
            progress: called with the number of enrolled images read in the probe's condition since its last call.

        Raises:
            ImageSetError: all images are enrolled.
            ExtractorError: the probe was fingerprinted by another model.
        """
        check_comparable([probe, next(iter(self.known.values()))])
        probe = probe.without(self.known).ordered()
        enrolled, compared = self.enrolled.match([probe], progress)
        (probe,) = compared.probes
        llrs = enrolled.known.llr([probe])[0]
        posteriors = softmax(llrs)
        order = [int(i) for i in np.argsort(-llrs)]
        best, twins = order[0], enrolled.twins.same[order[0]]
        rivals = [i for i in order if not twins[i]]
        rival_near = bool(rivals) and posteriors[rivals[0]] >= 1 - self.min_posterior
        p = enrolled.exchangeability(probe, best)
        tested = compared.as_they_came
        found = enrolled.threshold(probe.count, self.rate, self.min_posterior, tested)
        score = enrolled.cohort.score(probe, best) if found else None
        threshold, size = found or (None, None)
        rejected = tested and p <= ALPHA
        rival_p = enrolled.exchangeability(probe, rivals[0]) if rival_near and rejected else None
        ratio = enrolled.likelihood_ratio(probe, best, p if tested else None, grown)
        decision, reason = decide(
            score, threshold, p if tested else 1.0, float(posteriors[twins].sum()), rival_near, rival_p,
            self.min_posterior, ratio.llr if ratio else None, twinned=twins.sum() > 1,
        )  # fmt: skip
        if reason == Reason.TWINS:
            rivals = [i for i in order[1:] if twins[i]]
        said = partial(self._explained, enrolled=enrolled, images=probe.count, order=[best, *rivals])
        return Attribution(
            probe=probe.source,
            decision=decision,
            source=enrolled.names[best] if decision == ATTRIBUTED else None,
            llr=ratio.llr if ratio else None,
            reason=said(reason), changes=said(reason.changes), next_step=said(reason.next_step),
            images=probe.count,
            condition=compared.name,
            evidence=Evidence(
                score=score, threshold=threshold, rate=enrolled.rate(self.rate) if found else None,
                calibrated_at=size, p=p,
                candidates=tuple(
                    Candidate(enrolled.names[i], enrolled.fingerprints[i].count, float(llrs[i]), float(posteriors[i]))
                    for i in order
                ),
                ratio=ratio, condition=compared.found, p_counts=tested,
                no_ratio="" if ratio else enrolled.no_ratio(tested),
            ),
            left_out=probe.left_out,
        )  # fmt: skip

    @staticmethod
    def _explained(reason: str, enrolled: Enrolled, images: int, order: list[int]) -> str:
        """With the sources' names; what separates two sources is only worked out where it is told."""
        names = {"best": enrolled.names[order[0]], "second": enrolled.names[order[1]] if len(order) > 1 else ""}
        if "{separates}" in reason:
            names["separates"] = enrolled.what_separates(images, *order[:2])
        if "{joins}" in reason:
            names["joins"] = enrolled.what_joins(*order[:2])
        return str(reason).format(**names)


class GalleryIdentifier:
    """Identifies probes in a gallery of any size.

    Where more than ``SHORTLIST`` sources are enrolled, each probe is compared closely with as many only: those whose
    vectors are nearest to the probe's, in its own condition if it looks processed. Thresholds, rate and evidence are
    then of those.

    Args:
        store: the gallery as it is now; what is enrolled later is not seen.
        rate: as for ``Identifier``.
        conditions: whether probes that look processed are compared with the enrolled images after the same processing.
    """

    def __init__(self, store: GalleryStore, rate: float = 0.05, conditions: bool = True):
        if not len(store):
            where = "the gallery" if store.in_memory else store.path
            raise NotEnough(f"{where}: no source is enrolled; enroll some first")
        self._model, self._rate, self._conditions = store.model, rate, conditions
        self._index = store.index() if len(store) > SHORTLIST else None
        self._in_condition = Recent[Index](_INDICES)
        self._all = None if self._index else self._identifier(store, None)

    def near(self, store: GalleryStore, probe: Fingerprint, progress: Progress | None = None) -> Identifier:
        """The identifier for a probe. ``store`` may be another connection to the same file."""
        if self._all:
            return self._all
        assert self._index
        vector = self._model.fingerprinter.embed(probe)
        found = self._identifier(store, self._index.nearest(vector, SHORTLIST))
        compared = found.enrolled.compared([probe], progress)
        if processing := compared.processing:
            index = self._in_condition.get(processing, lambda: self._indexed(store, processing, progress))
            found = self._identifier(store, index.nearest(vector, SHORTLIST))
        elif (brought := compared.probes[0]) is not probe:
            vector = self._model.fingerprinter.embed(brought)
            found = self._identifier(store, self._index.nearest(vector, SHORTLIST))
        return found

    def _identifier(self, store: GalleryStore, names: Iterable[str] | None) -> Identifier:
        known = store.fingerprints(names)
        return Identifier(self._model, known, self._rate, conditions=self._conditions, cache=store.cache)

    def _indexed(self, store: GalleryStore, processing: Processing, progress: Progress | None) -> Index:
        """Vectors of all sources in a condition, by a few images of each."""
        names, vectors = list(store.counts()), []
        expect(progress, _INDEXED * len(names))
        for start in range(0, len(names), SHORTLIST):
            known = list(store.fingerprints(names[start : start + SHORTLIST]).values())
            for source in in_condition(known, processing, _INDEXED, progress):
                vectors.append(self._model.fingerprinter.embed(source).astype(np.float32))
        return Index(tuple(names), np.stack(vectors), np.arange(len(names)))
