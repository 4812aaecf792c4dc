"""Paths in, results out: attribute, verify, sort, families, mixture, lineage, structure, audit.

Command line and service call this.

Wherever images are asked for, anything goes that ``ImageSet.of`` takes: a path, an image set, a uint8 array, a list of
Pillow images or paths. Known sources are a folder with a sub-folder for each, a gallery or its file, image sets, or a
mapping from names to images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genprint.answering import Gallery, Model, choose, load
from genprint.answers import audit as audits
from genprint.answers.families import RESAMPLING, FamilyTree
from genprint.answers.gallery_audit import GalleryAudit
from genprint.answers.lineage import Lineage
from genprint.answers.lineage import lineage as compare_lineage
from genprint.answers.mixture import Mixture
from genprint.answers.pile import sort_pile
from genprint.answers.results import Attribution
from genprint.answers.sorting import Sorting
from genprint.answers.structure import Structure, read_structure
from genprint.answers.verification import Verification, pair_of
from genprint.answers.verification import verify as compare
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.derived import Derived
from genprint.gallery.enrolling import Added
from genprint.gallery.store import GalleryError
from genprint.images.known import as_sources
from genprint.images.sets import ImageSet
from genprint.model import Model as BaseModel
from genprint.shipped import PREFIX, THUMBNAILS
from genprint.storage.sqlite import is_database

__all__ = [
    "Added", "Derived", "Gallery", "Model", "attribute", "audit", "choose", "families", "lineage", "load", "mixture",
    "open", "sort", "structure", "verify",
]  # fmt: skip


def attribute(  # noqa: PLR0913
    images: Any,
    known: Any,
    *,
    model: BaseModel | None = None,
    rate: float = 0.05,
    conditions: bool = True,
    progress: Progress | None = None,
    trust: str | Path | None = None,
    stress: bool = False,
    thorough: bool = False,
) -> Attribution:
    """Which known source made a set of images, if any.

    Args:
        images: the probe.
        known: known sources.
        model: by default a gallery's own, or chosen by the known images' sizes; see ``choose``.
        rate: of false attributions wanted; raised to 1 / (sources + 1), the least that the sources support.
        conditions: whether a probe that looks processed (saved as JPEG, resized and the like) is compared with the
            known images after the same processing.
        progress: called with the number of images done since its last call.
        trust: file of authorities' certificates in PEM, by which signers of C2PA manifests are trusted; by default the
            one that GENPRINT_TRUST names, '' for none. It has no part in the decision.
        stress: whether it is asked again after plausible deliveries (saved as JPEG or WebP, halved, cropped) and of
            parts of the images. What would be attributed to another source then becomes 'inconclusive'.
        thorough: whether also with what takes longest and reports show: the likelihood ratio by number of images, and
            what to expect of these sources.

    Raises:
        ImageSetError: images cannot be read, or the probe is among the known.
        TrustError: the file holds no such certificates.

    Example:
        >>> answer = attribute("suspicious/", known="models/")  # doctest: +SKIP
        >>> answer.decision, answer.source, answer.llr  # doctest: +SKIP
    """
    gallery = as_gallery(known, model, progress)
    return gallery.attribute(
        images, rate=rate, conditions=conditions, progress=progress, trust=trust, stress=stress, thorough=thorough
    )


def verify(
    left: Any,
    right: Any,
    *,
    population: Any = None,
    model: BaseModel | None = None,
    rate: float = 0.05,
    conditions: bool = True,
    progress: Progress | None = None,
) -> Verification:
    """Whether two image sets have one source.

    Args:
        left: one set.
        right: the other.
        population: known sources of the same content and processing: sets from different models look more alike when
            they share these. By default those that came with the model.
        model: by default chosen by the images' sizes, of the population's if there is one; see ``choose``.
        rate: of either error wanted, over the sources of the population.
        conditions: whether the population is looked at in conditions that the sets seem to be in, too.
        progress: called with the number of images done since its last call.

    Raises:
        ImageSetError: images cannot be read, or are in both sets.
    """
    if population is not None:
        return as_gallery(population, model, progress).verify(left, right, rate, conditions, progress)
    pair = ImageSet.of(left, default="left"), ImageSet.of(right, default="right")
    model = model or choose(pair)
    return compare(model, *pair_of(model, *pair, progress))


def mixture(
    images: Any,
    known: Any,
    *,
    model: BaseModel | None = None,
    conditions: bool = True,
    progress: Progress | None = None,
) -> Mixture:
    """In what shares a set holds images of known sources, and whose each image likely is."""
    return as_gallery(known, model, progress).mixture(images, conditions, progress)


def lineage(
    child: Any,
    parent: Any,
    apart: Sequence[Any],
    *,
    model: BaseModel | None = None,
    progress: Progress | None = None,
    paired: bool = False,
) -> Lineage:
    """Whether the child's model is derived from the parent's (tuned, quantised, another sampler), not trained apart.

    Args:
        child: images of the model in question.
        parent: images of the model that it may be derived from.
        apart: images of each of several models like the parent, known to be trained apart from it: other seeds of its
            architecture are best.
        model: by default chosen by the images' sizes; see ``choose``.
        progress: called with the number of images done since its last call.
        paired: whether all sets were made of the same prompts or latents: images are compared with those of the same
            file name (without folder and ending) or number, in arrays and lists those at the same place. What they have
            in common by prompt or latent drops out, and a child has to follow its parent image by image, too.

    Raises:
        ImageSetError: images cannot be read, are of the child and of another set, or, of paired sets, have no partner.
    """
    names = "child", "parent", *(f"apart {i + 1}" for i in range(len(apart)))
    sets = [ImageSet.of(images, default=name) for images, name in zip((child, parent, *apart), names, strict=True)]
    model = model or choose(sets)
    one, other, *others = (model.fingerprint(images, progress) for images in sets)
    return compare_lineage(model, one, other, others, paired=paired)


def families(  # noqa: PLR0913
    sources: Any,
    *,
    model: BaseModel | None = None,
    linkage: str = "average",
    support: int = 0,
    add: Any = None,
    resampling: str = RESAMPLING,
    spectrum: bool = False,
    structure: bool = False,
    progress: Progress | None = None,
) -> FamilyTree:
    """The family tree of sources: hierarchical clustering by the distance of their fingerprints.

    Args:
        sources: folders of images, image sets, or a gallery.
        model: what fingerprints them, by default the gallery's or the one for their size.
        linkage: 'average', 'complete', 'single' or 'ward'.
        support: how many trees of resampled images say how sure each branch is.
        resampling: 'halves' of the images, or 'bootstrap'.
        spectrum: distances are those that fingerprints and the images' mean spectra agree on.
        add: further sources; each is added where it joins the tree of the others, which stays as it is.
        structure: branches have notes of what is read of how all their sources are built; by the model for thumbnails.
        progress: called with the number of images done since its last call.
    """
    gallery = as_gallery(sources, model, progress)
    further = None if add is None else as_gallery(add, gallery.model, progress)
    return gallery.families(
        linkage, support, add=further, resampling=resampling, spectrum=spectrum, structure=structure
    )


def structure(images: Any, *, model: BaseModel | None = None, progress: Progress | None = None) -> Structure:
    """What can be read of how the source of an image set is built: its last doubling, and whether JPEG came before.

    Args:
        images: of one source.
        model: by default the shipped one for thumbnails, whatever the images' size: it alone can read structure.
        progress: called with the number of images done since its last call.

    Raises:
        ImageSetError: images cannot be read.
        StructureError: the model is another.
    """
    model = model or load(PREFIX + THUMBNAILS)
    return read_structure(model.fingerprint(ImageSet.of(images, default="images"), progress))


def audit(
    sources: Any, *, model: BaseModel | None = None, progress: Progress | None = None
) -> audits.Audit | GalleryAudit:
    """What else than a trace tells sources apart: format, compression, size, metadata, colour, content.

    Of a gallery or its file, whether it is well: the same source under two names, two under one, too few images.

    Args:
        sources: folders of images, image sets, or a gallery.
        model: of the gallery in a file, by default its own.
        progress: called with the number of images done since its last call.
    """
    if isinstance(sources, Gallery) or is_gallery(sources):
        return as_gallery(sources, model).audit()
    return audits.audit(as_sources(sources), progress)


def sort(
    pile: Any,
    *,
    known: Any = None,
    model: BaseModel | None = None,
    rate: float = 0.05,
    progress: Progress | None = None,
) -> Sorting:
    """A pile of images without labels by source: groups of one source each, and strays.

    The number of groups is found. Which of them is of a known source is told, if known sources are given; how sure an
    image's place is, too.

    Args:
        pile: the images.
        known: known sources, if there are any.
        model: by default a gallery's own, or chosen by the images' sizes; see ``choose``.
        rate: of false attributions wanted; see ``attribute``.
        progress: called with the number of images done since its last call.

    Raises:
        ImageSetError: images cannot be read, or all are among the known.
        ValueError: the model's scorer is no PLDA.

    Example:
        >>> sorted_pile = sort("downloads/", known="gallery.sqlite")  # doctest: +SKIP
        >>> sorted_pile.labels()  # doctest: +SKIP
    """
    images = ImageSet.of(pile, default="pile")
    gallery = None if known is None else as_gallery(known, model, progress)
    used = gallery.model if gallery else model or choose([images])
    expect(progress, images.count)
    result = sort_pile(used, used.fingerprint(images, progress, looks=True), gallery, rate, progress)
    return replace(result, images=images)


def open(path: str | Path, model: BaseModel | None = None) -> Gallery:
    """The gallery in a file.

    Raises:
        GalleryError: there is none, or it was made with another model.
    """
    if not Path(path).exists():
        raise GalleryError(f"{path}: no such file; enroll sources first, or give their folder as known sources")
    return Gallery(path, model)


def is_gallery(known: Any) -> bool:
    """Whether that names a gallery's file, be it there or not."""
    if not isinstance(known, str | Path) or Path(known).is_dir():
        return False
    return Path(known).suffix in (".sqlite", ".gallery") or is_database(known)


def as_gallery(known: Any, model: BaseModel | None, progress: Progress | None = None) -> Gallery:
    """A gallery of known sources, in memory unless it is one on disk already."""
    if isinstance(known, Gallery):
        return known
    if is_gallery(known):
        return open(known, model)
    gallery = Gallery(None, model)
    gallery.enroll(known, progress=progress)
    return gallery
