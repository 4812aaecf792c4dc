"""Galleries that answer: enrolled sources, with the model that reads them and what was worked out from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import genprint.report.page  # noqa: F401 (it is what results are saved by)
from genprint import shipped
from genprint.answers import gallery_audit
from genprint.answers.asking import asked
from genprint.answers.attribution import SHORTLIST, GalleryIdentifier, Identifier
from genprint.answers.families import MOST_LINKED, RESAMPLING, FamilyTree
from genprint.answers.grouping import grouped
from genprint.answers.mixture import Mixture, unmix
from genprint.answers.results import Attribution
from genprint.answers.structure import read_structure, shared_structure
from genprint.answers.verification import Verification, pair_of, population_of
from genprint.answers.verification import verify as compare
from genprint.errors import GenprintError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.derived import Derived, Made
from genprint.gallery.enrolled import EnrolledIn
from genprint.gallery.enrolling import Added, read_all, reading
from genprint.gallery.store import GalleryError, GalleryStore, NotEnough
from genprint.images.known import as_sources
from genprint.images.manifest import TrustList
from genprint.images.processing import Processing
from genprint.images.sets import ImageSet
from genprint.model import Model as BaseModel
from genprint.scoring.population import ReferencePopulation
from genprint.words import counted

GROUPS = 2000


class Model(BaseModel):
    """A fingerprinter with its scorer and reference population, which enrolls known sources; see ``genprint.model``."""

    def enroll(self, sources: Any, save: str | Path | None = None, originals: bool = True) -> Gallery:
        """A gallery of known sources.

        Args:
            sources: known sources.
            save: file to keep the gallery in; by default it is in memory.
            originals: whether images are kept, too; see ``Gallery.enroll``.
        """
        gallery = Gallery(save, self)
        gallery.enroll(sources, originals=originals)
        return gallery


class Gallery(GalleryStore):
    """Enrolled sources that answer questions.

    Args:
        path: of the file, made if it is not there; None keeps the gallery in memory.
        model: that fingerprints and compares; by default, as ``choose`` has it when the first source is enrolled.
        derived: what was worked out from the same gallery before, opened by another thread.

    Example:
        >>> gallery = Gallery()  # in memory
        >>> len(gallery)
        0
    """

    def __init__(self, path: str | Path | None = None, model: BaseModel | None = None, derived: Derived | None = None):
        super().__init__(path, model)
        self._given = model is not None
        if model is None and self.maker.bound:
            self._take(choose(gallery=self))  # now, so that a gallery that cannot be used is found now
        #: image sets that were enrolled through this object, whose files reports can look at
        self.sources: tuple[ImageSet, ...] = ()
        #: the folder that all enrolled sources came from, if there is one
        self.origin: str | None = None
        #: what is not well with the sources that were enrolled last; of more than 200 sources, only ``audit`` looks
        self.concerns: tuple[gallery_audit.Concern, ...] = ()
        self._derived = derived or Derived()

    @property
    def model(self) -> BaseModel:
        """What fingerprints and compares; as long as it was not given and nothing is enrolled, that of ``load()``."""
        if self._model is None:
            self._take(choose(gallery=self))
        return super().model

    def _take(self, model: BaseModel) -> None:
        self._check_extractor(model, bind=self.maker.bound)
        self._model = model
        self.__dict__.pop("cache", None)  # which may be the model's

    def enroll(
        self,
        sources: Any,
        name: str | None = None,
        originals: bool = True,
        progress: Progress | None = None,
        strict: bool = True,
    ) -> list[Added]:
        """Enrolls sources: all that can be used, or, if anything goes wrong, none. Again, to add more images.

        What was read until it was stopped is kept in ``FILE.reading``, so that asked again it goes on where it was.

        Args:
            sources: known sources, or the images of one if it is named.
            name: of the one source.
            originals: whether up to 32 images of each source are kept (16 MiB at most, in ``FILE.originals``), so that
                probes that were saved as JPEG, resized and the like are compared with enrolled images after the same.
                A gallery in memory reads them again from where they are.
            progress: called with the number of images done since its last call.
            strict: whether one source of which no image can be used is an error; if not, it is left out.

        Raises:
            ImageSetError: no source can be used, or, if strict or the only one, one cannot.
        """
        if name == "":
            raise GalleryError("a source needs a name")
        sets = [ImageSet.of(sources, name)] if name else as_sources(sources)
        first = not len(self)
        if not self._given and not (self._model and self.maker.bound):
            self._take(choose(sets, self))
        counts = [images.count for images in sets]
        expect(progress, None if None in counts else sum(filter(None, counts)))
        own = Path(self.path) if not self.in_memory and not self.model.cache else None
        with reading(own, self.model.cache) as cache:
            found, unusable = read_all(self.model.fingerprinter, sets, strict, cache, progress)
            added = self.add_all(found.items(), originals)
        self.concerns = ()
        with suppress(GenprintError):  # what is enrolled stays so; whoever asks this gallery is told what is damaged
            if len(self) <= SHORTLIST:
                self.concerns = gallery_audit.look(
                    self.model, self.outlines(), found, lambda name: self.fingerprints([name], caching=False)[name]
                )
        self.sources += tuple(images for images in sets if images.name in found)
        # A folder is where they all came from only if nothing else was enrolled.
        self.origin = str(Path(sources).resolve()) if first and not name and isinstance(sources, str | Path) else None
        return [*(Added(source, count, found[source].left_out) for source, count in added.items()), *unusable]

    def attribute(
        self,
        images: Any,
        name: str | None = None,
        rate: float = 0.05,
        conditions: bool = True,
        progress: Progress | None = None,
        trust: str | Path | None = None,
        stress: bool = False,
        thorough: bool = False,
    ) -> Attribution:
        """Which enrolled source made the images, if any.

        Args:
            images: the probe.
            name: of the probe, in the answer.
            rate: of false attributions wanted; raised to 1 / (sources + 1), the least that the sources support.
            conditions: whether a probe that looks processed is compared with the enrolled images after the same
                processing, where there are originals of these.
            progress: called with the number of images done since its last call.
            trust: file of authorities' certificates in PEM, by which signers of C2PA manifests are trusted; by default
                the one that GENPRINT_TRUST names, '' for none. It has no part in the decision.
            stress: whether it is asked again after plausible deliveries (saved as JPEG or WebP, halved, cropped) and
                of parts of the images. What would be attributed to another source then becomes 'inconclusive'.
            thorough: whether also with what takes longest and reports show: the likelihood ratio by number of images,
                and what to expect of this gallery, which is kept for the next answer.

        Raises:
            ImageSetError: none of the images can be used, or all are enrolled.
            NotEnough: nothing is enrolled.
            TrustError: the file holds no such certificates.
        """
        trusted, probe = TrustList.read(trust), ImageSet.of(images, name, default="probe")
        return asked(self, probe, rate, conditions, trusted, stress, thorough, progress)

    def audit(self) -> gallery_audit.GalleryAudit:
        """Whether the gallery is well: sources that are one under two names, several under one, too few, or unlike."""
        if not len(self):
            raise NotEnough(f"{self.path}: no source is enrolled; enroll some first")
        return gallery_audit.audit_gallery(self.model, list(self.fingerprints(caching=False).values()))

    def remove(self, name: str) -> None:
        super().remove(name)
        self.sources = tuple(images for images in self.sources if images.name != name)
        self.origin = None

    def identifier(
        self, probe: Fingerprint, rate: float = 0.05, conditions: bool = True, progress: Progress | None = None
    ) -> Identifier:
        """What compares the probe with the enrolled sources; of many, with those that are nearest."""
        made = self._keep(f"identifier {rate} {conditions}", lambda: GalleryIdentifier(self, rate, conditions))
        return made.near(self, probe, progress)

    def population(
        self, rate: float = 0.05, conditions: Sequence[Processing] = (), progress: Progress | None = None
    ) -> ReferencePopulation:
        """How alike sets of the enrolled sources are; of many, of as many as are compared closely.

        Args:
            rate: of either error.
            conditions: in which the sources are looked at, beside the original.
            progress: called with the number of images done since its last call.

        Raises:
            NotEnough: fewer than two sources, or one of a single image.
        """

        def make() -> ReferencePopulation:
            known = self._judges()
            name = counted(len(known), "source" if self.origin else "enrolled source")
            name += f" of {self.origin}" if self.origin else ""
            return population_of(self.model, known, name, rate, conditions, progress)

        return self._keep(f"population {rate} {conditions!r}", make)

    def _judges(self) -> dict[str, Fingerprint]:
        return self.fingerprints(list(self.counts())[:SHORTLIST])

    def verify(
        self, left: Any, right: Any, rate: float = 0.05, conditions: bool = True, progress: Progress | None = None
    ) -> Verification:
        """Whether two sets have one source, judged by the enrolled sources; in the sets' condition, if so wanted."""
        pair = pair_of(self.model, left, right, progress)
        in_conditions = self._keep(f"judges {conditions}", lambda: EnrolledIn(self.model, self._judges(), conditions))
        likely = {processing for one in pair for processing in in_conditions.candidates([one])}
        judge = self.population(rate, sorted(likely, key=lambda processing: processing.name), progress)
        return compare(self.model, *pair, judge)

    def mixture(self, images: Any, conditions: bool = True, progress: Progress | None = None) -> Mixture:
        """In what shares a set holds images of the enrolled sources, and whose each image likely is."""
        probe = self.model.fingerprint(ImageSet.of(images, default="probe"), progress, looks=True)
        return unmix(self.model, self.fingerprints(), probe, conditions=conditions, progress=progress)

    def families(
        self,
        linkage: str = "average",
        support: int = 0,
        groups: int | None = None,
        progress: Progress | None = None,
        add: Gallery | None = None,
        resampling: str = RESAMPLING,
        spectrum: bool = False,
        structure: bool = False,
    ) -> FamilyTree:
        """The family tree of the enrolled sources.

        Args:
            linkage: 'average', 'complete', 'single' or 'ward'.
            support: how many trees of resampled images say how sure each branch is.
            groups: cluster the sources' vectors into so many groups first, and draw the tree of these; of more than
                20,000 sources, 2,000.
            progress: called with 1 after every such tree.
            add: further sources, each added where it joins the tree of the others, which stays as it is.
            resampling: 'halves' of the images, or 'bootstrap'.
            spectrum: distances are those that fingerprints and the images' mean spectra agree on; needs the originals.
            structure: branches have notes of what is read of how all their sources are built.

        Raises:
            StructureError: structure is asked for, and cannot be read by the gallery's model.
            NotEnough: fewer than two sources.
            ValueError: sources to add to a tree of groups, or of the name of one that is there.
        """
        if len(self) < 2:
            raise NotEnough(f"a tree needs two sources or more; there is {', '.join(self.counts()) or 'none'}")

        def make() -> FamilyTree:
            if groups or len(self) > MOST_LINKED:
                return self.groups(groups or GROUPS, linkage)[0]
            known = list(self.fingerprints().values())
            scorer = self.model.scorer
            tree = FamilyTree.of(scorer, known, linkage, support, 0, progress, further, resampling, spectrum)
            read = {one.source: read_structure(one) for one in [*known, *further]} if structure else {}
            return replace(tree, notes=shared_structure(tree, read))

        further = [] if add is None else list(add.fingerprints().values())
        if further:
            if groups or len(self) > MOST_LINKED:
                raise ValueError("sources are added to the tree of sources, not to that of groups")
            return make()
        return self._keep(f"families {linkage} {support} {groups} {resampling} {spectrum} {structure}", make)

    def groups(self, count: int, linkage: str = "average") -> tuple[FamilyTree, dict[str, str]]:
        """The tree of so many groups of sources, and which group each source is in."""
        names, vectors = self.vectors()
        tree, labels = grouped(names, vectors, count, linkage)
        return tree, {name: tree.sources[label] for name, label in zip(names, labels, strict=True)}

    def _keep(self, what: str, make: Callable[[], Made]) -> Made:
        return self._derived.keep(self.state(), what, make)


def load(model: str | Path | None = None, revision: str | None = None, offline: bool = False) -> Model:
    """A saved model; by default the one that GENPRINT_MODEL names, else the shipped one for thumbnails.

    Args:
        model: ``"pictures"`` or ``"thumbnails"``, the shipped ones; a folder; or ``hf:ORG/MODEL`` on a model hub (only
            safe formats are fetched). A folder that is called like a shipped one is ``./pictures``.
        revision: of the latter: a commit, tag or branch; pin a commit to get the same weights again.
        offline: never ask the network.
    """
    return Model.load(model or os.environ.get("GENPRINT_MODEL") or None, revision, offline)


def choose(sets: Iterable[ImageSet] = (), gallery: GalleryStore | None = None) -> Model:
    """The model where none is named.

    That of GENPRINT_MODEL; else the shipped one that the gallery was enrolled with; else, by the sizes of the images,
    ``pictures`` if those of every set are typically above 64 px, and ``thumbnails`` if not.
    """
    if os.environ.get("GENPRINT_MODEL"):
        return load()
    if gallery is None or not gallery.maker.bound:
        return load(shipped.PREFIX + shipped.suited(sets))
    # First the one that it says; of before there was a choice, the one there was.
    first, *others = sorted(shipped.FOLDERS, key=lambda name: name != gallery.maker.name)
    found = load(shipped.PREFIX + first)
    for name in others:
        if gallery.maker.fits(found):
            break
        other = load(shipped.PREFIX + name)
        found = other if gallery.maker.fits(other) else found  # if none does, the gallery says so
    return found
