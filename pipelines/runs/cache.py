"""The action cache: results by step key, their trees and blobs, in any store.

Commit order is blobs, tree, record, entry: a result is finished when its entry is durable, and
whatever a kill leaves behind before that is unreachable, never wrong.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from components.contract.digests import canonical_json
from components.contract.tree import SINGLE, Entry, Tree, files_of, tree_of
from pipelines.disk.folders import remove_tree
from pipelines.runs.quarantine import move_to_quarantine, put_certain
from pipelines.runs.removal.condemned import CondemnedValues
from pipelines.runs.removal.tombstones import rest_of
from pipelines.runs.results import CachedResult, disagreement, read_result
from pipelines.stores.layout import blob_key, result_key, tree_key
from pipelines.stores.store import KeyMissing, Store, is_key


class CorruptionError(Exception):
    """Bytes in the store are not what their name says; they have been moved to quarantine.

    Args:
        key: Store key of the broken object.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is missing or does not hold what its digest says")
        self.key = key


class Cache:
    """Reads and writes results; knows no engine.

    Args:
        store: Where bytes and records are.
        scratch: A local folder for what is on its way; may be shared by processes.
    """

    def __init__(self, store: Store, scratch: Path) -> None:
        self.store = store
        self._scratch = scratch
        self._trees: dict[str, Tree] = {}
        self._condemned = CondemnedValues(store, scratch)

    def lookup(self, key: str, *, renew: bool = True) -> CachedResult | None:
        """Return the result of ``key`` if all of it is there, byte counts included.

        Content is not hashed here but when it is first read: see ``stage`` and ``read_file``.

        Args:
            key: The step key.
            renew: Write again what a garbage collection is about to remove of it, as the caller
                relies on the result; False for who only wants to know.
        """
        found = self._entry(key)
        if found is None or not all(self._complete(tree) for tree in found.outputs.values()):
            return None
        if renew and not self._renew(found):
            return None
        return found

    def _renew(self, found: CachedResult) -> bool:
        """Keep a result from being collected; False where part of it just was."""
        keys = [result_key(found.key)]
        for tree in found.outputs.values():
            blobs = {blob_key(entry.sha256) for entry in self.tree(tree).entries}
            keys += [*sorted(blobs), tree_key(tree)]
        return self.keep(keys)

    def keep(self, keys: Iterable[str]) -> bool:
        """Keep values that the caller relies on from being collected; False where one just was."""
        return all(self._condemned.renew(key) for key in keys)

    def _entry(self, key: str) -> CachedResult | None:
        try:
            found = read_result(self.store.get(result_key(key)))
            if disagreement(self.store, key, found) is None:
                return found
        except KeyMissing:
            return None
        except ValueError:  # no entry at all
            pass
        self._quarantine(result_key(key))
        return None

    def _complete(self, tree_digest: str) -> bool:
        try:
            tree = self.tree(tree_digest)
        except CorruptionError:
            return False
        stats = self.store.stat_many([blob_key(entry.sha256) for entry in tree.entries])
        return all(
            stat is not None and stat.size_bytes == entry.size_bytes
            for entry, stat in zip(tree.entries, stats, strict=True)
        )

    def tree(self, tree_digest: str) -> Tree:
        """Return the tree with this digest.

        Raises:
            CorruptionError: It is missing, or holds something else.
        """
        if tree_digest in self._trees:
            return self._trees[tree_digest]
        key = tree_key(tree_digest)
        if not is_key(key):  # out of a damaged entry
            raise CorruptionError(key)
        try:
            tree = Tree.from_json(json.loads(self.store.get(key)))
        except KeyMissing:
            raise CorruptionError(key) from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            tree = None
        if tree is None or tree.digest != tree_digest:
            self._quarantine(key)
            raise CorruptionError(key)
        self._trees[tree_digest] = tree
        return tree

    def listing(self, tree_digest: str) -> Tree | None:
        """Return the tree with this digest, or None where the store does not have it, or not whole.

        Its blobs need not be there.
        """
        try:
            return self.tree(tree_digest)
        except CorruptionError:
            return None

    def put_tree(self, path: Path) -> Tree:
        """Store an artifact: blobs first, then the tree that names them."""
        tree = tree_of(path)
        self.put_some(tree, dict(files_of(path)))
        return tree

    def put_some(self, tree: Tree, files: Mapping[str, Path]) -> None:
        """Store some files of an artifact, then the list of all of them.

        Args:
            tree: Of the whole artifact.
            files: By their path in it the files to store, which have been held against the tree.
        """
        blobs = {blob_key(entry.sha256): entry for entry in tree.entries if entry.path in files}
        written = self.store.put_many([(key, files[entry.path]) for key, entry in blobs.items()])
        for (key, entry), new in zip(blobs.items(), written, strict=True):
            if not new:
                self._check_size(key, entry, files[entry.path])
                self._condemned.renew(key, files[entry.path])
        listing, data = tree_key(tree.digest), canonical_json(tree.to_json())
        if not self.store.put_if_absent(listing, data):
            put_certain(self.store, listing, data)
            self._condemned.renew(listing, data)
        self._trees[tree.digest] = tree

    def _check_size(self, key: str, entry: Entry, path: Path) -> None:
        """Replace a blob that was there before, if a broken disk cut it short."""
        stat = self.store.stat(key)
        if stat is None or stat.size_bytes != entry.size_bytes:
            self._quarantine(key)
            self.store.put_if_absent(key, path)

    def commit(self, result: CachedResult) -> CachedResult:
        """Make ``result`` the answer for its key, or adopt the answer that came first.

        Returns:
            The result that counts from now on.
        """
        key, data = result_key(result.key), canonical_json(asdict(result))
        while True:
            if self.store.put_if_absent(key, data):
                return result
            stat = self.store.stat(key)
            if stat is None:
                continue
            if winner := self.lookup(result.key):
                return winner
            if self.store.replace_if_match(key, data, stat.version):
                return result

    def forget(self, key: str) -> None:
        """Drop the result of ``key``, so that its step runs again; its bytes stay."""
        stat = self.store.stat(result_key(key))
        if stat is not None:
            self.store.delete_if_match(result_key(key), stat.version)

    def stage(self, tree_digest: str, folder: Path) -> Path:
        """Bring an artifact to this machine, every byte verified.

        Args:
            tree_digest: Which artifact.
            folder: Where it is to lie; appears whole or not at all.

        Returns:
            ``folder``, or the path of the one file of a single-file artifact, which is also
            ``folder``.

        Raises:
            CorruptionError: A blob is missing or broken.
        """
        if folder.exists():
            return folder
        tree = self.tree(tree_digest)
        self._scratch.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="stage-", dir=self._scratch))
        try:
            root = partial / "tree"
            if not any(entry.path == SINGLE for entry in tree.entries):
                root.mkdir()
            self._fetch(tree, root)
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                root.rename(folder)
            except OSError:
                if not folder.exists():  # somebody else staged the same tree meanwhile
                    raise
        finally:
            remove_tree(partial)
        return folder

    def _fetch(self, tree: Tree, root: Path) -> None:
        items = [
            (blob_key(entry.sha256), root if entry.path == SINGLE else root / entry.path)
            for entry in tree.entries
        ]
        try:
            found = self.store.fetch_many(items, link=True)
        except KeyMissing as missing:
            raise CorruptionError(missing.key) from None
        for entry, (key, _), sha in zip(tree.entries, items, found, strict=True):
            if sha != entry.sha256:
                self._quarantine(key)
                raise CorruptionError(key)

    def read_file(self, tree_digest: str, name: str) -> bytes:
        """Return one verified file of an artifact.

        A document from which a person had to be erased comes without that person.

        Raises:
            CorruptionError: Its blob is missing or broken.
            KeyError: The artifact has no file of that name.
        """
        for entry in self.tree(tree_digest).entries:
            if entry.path == name:
                key = blob_key(entry.sha256)
                try:
                    data = self.store.get(key)
                except KeyMissing:
                    if (rest := rest_of(self.store, entry.sha256)) is not None:
                        return rest
                    raise CorruptionError(key) from None
                if sha256(data).hexdigest() != entry.sha256:
                    self._quarantine(key)
                    raise CorruptionError(key)
                return data
        raise KeyError(name)

    def _quarantine(self, key: str) -> None:
        move_to_quarantine(self.store, key)
