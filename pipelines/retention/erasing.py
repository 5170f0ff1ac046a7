"""Erasing a person or a file from a store, from this machine and from the buckets of clusters.

    plan          what shows or names the subject; durable before anything goes, naming nobody
    exclusions    from here on no new dataset holds it
    results       no later run finds one that rests on what goes
    values        each gets a tombstone before it goes; documents are replaced
    elsewhere     this machine's caches, scratch folders and index; the folders of clusters
    certificate   the plan, with when all of it was done

Whoever is killed in between has left the plan: ``resume`` goes on from there, and every further
erasure does so first. A run that goes on could write again what goes, so there must be none.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from components.contract.errors import UserError
from pipelines.retention.holding import DataSubject
from pipelines.retention.planning_erasure import Reach, reach_of
from pipelines.retention.reaching import clear_folder, clear_this_machine
from pipelines.runs.cache import Cache
from pipelines.runs.journal import announce
from pipelines.runs.moments import now
from pipelines.runs.records import list_runs
from pipelines.runs.removal.condemned import CondemnedValues
from pipelines.runs.removal.erasures import Erasure, erasures, put_erasure
from pipelines.runs.removal.exclusions import exclude
from pipelines.runs.removal.tombstones import Tombstone, put_tombstone
from pipelines.runs.workspace import workspace_root
from pipelines.stores.bucket_uri import scheme_of
from pipelines.stores.layout import blob_digest, blob_key, result_key
from pipelines.stores.store import Store


def plan(cache: Cache, subject: DataSubject, *, actor: str, reason: str) -> tuple[Erasure, Reach]:
    """Find all that an erasure would remove, and change nothing.

    Args:
        cache: The store.
        subject: Whom or what.
        actor: Who asks for it.
        reason: Why.

    Raises:
        UserError: The store holds nothing of the subject, or part of it cannot be read.
    """
    files = sorted(subject.files)
    reach = reach_of(cache, subject)
    if not reach.held and not reach.removed:
        raise UserError(
            f"no dataset and no source in the store {cache.store.uri} holds "
            + (f"the identity {min(subject.labels)!r}" if subject.labels else f"{files[0]}"),
            "slimline data names images that are not used, slimline affected where one was used; "
            "give the name as the folder or the label has it, or the file as it was then",
        )
    made = Erasure(
        id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
        at=now(),
        actor=actor,
        reason=reason,
        subject="identity" if subject.identity else "file",
        digest=subject.identity or files[0],
        excluded={},
        datasets={},
    )
    return _with(made, cache.store, subject, reach), reach


def _with(one: Erasure, store: Store, subject: DataSubject, reach: Reach) -> Erasure:
    """Return a plan with what has been found, beside what it holds."""
    return replace(
        one,
        excluded={**one.excluded, **subject.excluded},
        datasets={**one.datasets, **{held.tree: held.images for held in reach.held}},
        results=tuple(sorted({*one.results, *reach.results})),
        removed=tuple(sorted({*one.removed, *reach.removed})),
        replaced={
            **one.replaced, **{sha: _sha256(left) for sha, left in sorted(reach.documents.items())}
        },
        folders=tuple(sorted({*one.folders, *reach.folders})),
        model_folders=tuple(sorted({*one.model_folders, *reach.model_folders})),
        models=max(one.models, reach.models),
        releases=tuple(dict.fromkeys((*one.releases, *reach.releases))),
        unreached=tuple(dict.fromkeys((*one.unreached, *_unreached(store, reach)))),
    )  # fmt: skip


def erase(cache: Cache, subject: DataSubject, *, actor: str, reason: str) -> Erasure:
    """Erase a person or a file, after the erasures that were begun and not ended.

    Returns:
        The certificate.

    Raises:
        UserError: Runs go on, the store holds nothing of the subject, or something fails; what was
            begun then goes on with ``resume``.
    """
    refuse_while_runs_go_on(cache.store)
    resume(cache)
    made, reach = plan(cache, subject, actor=actor, reason=reason)
    return _carry_out(cache.store, made, reach)


def resume(cache: Cache) -> list[Erasure]:
    """End the erasures that were begun and not ended; return their certificates.

    Raises:
        UserError: Runs go on, or something fails.
    """
    ended: list[Erasure] = []
    for one in erasures(cache.store):
        if one.finished is None:
            refuse_while_runs_go_on(cache.store)
            subject = DataSubject(one.digest if one.subject == "identity" else None)
            kinds = one.excluded.items()
            subject.files |= {digest for digest, kind in kinds if kind == "file"}
            subject.pixels |= {digest for digest, kind in kinds if kind == "pixels"}
            # A run may have begun just before the exclusions were there.
            reach = reach_of(cache, subject)
            ended.append(_carry_out(cache.store, _with(one, cache.store, subject, reach), reach))
    return ended


def refuse_while_runs_go_on(store: Store) -> None:
    """Let nothing be erased while somebody may write it again.

    Raises:
        UserError: Runs go on.
    """
    going = [run.run for run in list_runs(store) if run.outcome == "running"]
    if going:
        raise UserError(
            f"{', '.join(going)} may still read what is to be erased, or write it",
            "wait until it has ended, or cancel it (of a cluster, slimline sync brings the end "
            "home); then erase again",
        )


def _carry_out(store: Store, one: Erasure, reach: Reach) -> Erasure:
    condemned = CondemnedValues(store, workspace_root(store))
    for left in reach.documents.values():
        key = blob_key(_sha256(left))
        if not store.put_if_absent(key, left):
            condemned.renew(key, left)
    put_erasure(store, one)
    announce(store, "erase", one.id)
    for digest, kind in one.excluded.items():
        exclude(store, digest, kind, one.id, one.at)
    refuse_while_runs_go_on(store)  # that listed their data before
    _remove_all(store, [result_key(key) for key in one.results])
    for key in one.removed:
        sha256 = blob_digest(key)
        if sha256:
            put_tombstone(
                store,
                Tombstone(
                    sha256, "blob", "erased", one.id, one.actor, now(), one.replaced.get(sha256)
                ),
            )
        _remove_all(store, [key])
    files = [digest for digest, kind in one.excluded.items() if kind == "file"]
    removed = clear_this_machine(store, one.removed, files, f"erase-{one.id}")
    removed += sum(clear_folder(place) for place in one.folders)
    removed += sum(clear_folder(place, arrays_and_pages=True) for place in one.model_folders)
    done = replace(one, finished=now(), removed_elsewhere=removed)
    put_erasure(store, done)
    return done


def _remove_all(store: Store, keys: Iterable[str]) -> None:
    for key in keys:
        while stat := store.stat(key):
            store.delete_if_match(key, stat.version)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unreached(store: Store, reach: Reach) -> Iterable[str]:
    """Yield what is not reached, each a sentence."""
    yield (
        "your own data: delete the files there; runs of this store leave them out, and runs of "
        "other stores do not"
    )
    if scheme_of(store.uri) or reach.folders:
        yield (
            "deleted objects and earlier versions that a bucket keeps: see its soft delete policy "
            "and its versioning"
        )
    yield "backups and copies of the store, and the caches of other machines that used it"
    if reach.models:
        yield f"the weights of {reach.models} models that were made from these images: train anew"
    if reach.releases:
        yield (
            f"the files of {len(reach.releases)} releases: under public/ for apps, in folders "
            "that run and export wrote, and on phones"
        )
    if reach.class_names:
        yield f"{reach.class_names} files of models, which name a class as the person is called"
    if reach.naming:
        yield (
            f"{len(reach.naming)} records that quote the name, and stay as they were signed: "
            f"{', '.join(reach.naming[:5])}"
        )
    if reach.untold:
        yield (
            f"{len(reach.untold)} datasets of an earlier version, which do not say whom the images "
            f"in a file of many show: {', '.join(reach.untold[:5])}"
        )
    if reach.unread:
        yield f"{len(reach.unread)} records that cannot be read: {', '.join(reach.unread[:5])}"
    if reach.folders:
        yield "the volumes and the database of the cluster, and its recurring runs: add them anew"
