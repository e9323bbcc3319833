"""Files and volumes of a pod."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.fields import (
    AbsolutePath,
    ChangeRule,
    DataKey,
    Model,
    Name,
    ObjectName,
    Quantity,
    RelativePath,
    Rule,
    at_most,
    atomic,
    one_of,
    unique,
)
from hardened.api.places import HIDES_NO_SYSTEM, IS_NO_SYSTEM

# The operator puts two characters before it, and a ConfigMap's key has 253.
FileName = Annotated[DataKey, StringConstraints(max_length=251)]


class Files(Model):
    """A folder of small text files that belongs to the revision and rolls back with it."""

    rules: ClassVar[tuple[Rule, ...]] = (IS_NO_SYSTEM,)

    mount_path: AbsolutePath = Field(description="The folder. Each file is mounted by itself: what else the image has there stays.")
    data: Annotated[dict[FileName, Annotated[str, StringConstraints(max_length=65536)]], at_most(32, least=1)] = Field(
        description="The text of each file, by its name."
    )


class EmptyDir(Model):
    """Scratch space that is deleted with the pod."""

    size_limit: Quantity | None = Field(None, description="A pod that writes more is evicted.")
    medium: Literal["Memory"] | None = Field(
        None, description="Memory keeps it in RAM, where it counts against the memory limit. Default: the node's disk."
    )


AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"]


_ANOTHER_CLAIM = "give the volume another name, which creates another claim, and copy the data there"


def _modes(claim: str) -> str:
    return f"(has({claim}.accessModes) ? {claim}.accessModes : ['ReadWriteOnce'])"


class Claim(Model):
    """A persistent volume. The operator creates it once and never deletes it, not even with the service."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.accessModes) || self.accessModes.size() == 1 || !('ReadWriteOncePod' in self.accessModes)",
            holds=lambda m: len(m.access_modes) == 1 or "ReadWriteOncePod" not in m.access_modes,
            message="ReadWriteOncePod must be the only access mode",
            field=".accessModes",
        ),
        Rule(
            cel="!has(self.shared) || !self.shared || !has(self.accessModes) || !('ReadWriteOncePod' in self.accessModes)",
            holds=lambda m: not m.shared or "ReadWriteOncePod" not in m.access_modes,
            message="a ReadWriteOncePod claim is mounted by one pod at a time: it cannot be shared",
            field=".shared",
        ),
    )

    changes: ClassVar[tuple[ChangeRule, ...]] = (
        ChangeRule(
            cel="has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            message=f"the storage class of a claim cannot change: {_ANOTHER_CLAIM}",
            field=".storageClassName",
        ),
        ChangeRule(
            cel=f"{_modes('self')}.size() == {_modes('oldSelf')}.size() && "
            f"[0, 1, 2, 3].all(i, i >= {_modes('self')}.size() || {_modes('self')}[i] == {_modes('oldSelf')}[i])",
            message=f"the access modes of a claim, and their order, cannot change: {_ANOTHER_CLAIM}",
            field=".accessModes",
        ),
        ChangeRule(
            cel="quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
            message=f"a claim cannot become smaller: {_ANOTHER_CLAIM}",
            field=".size",
        ),
    )

    size: Quantity = Field(description="How much is asked for. It can grow later, where the storage class allows it.")
    storage_class_name: ObjectName | None = Field(None, description="Default: the cluster's default class.")
    access_modes: Annotated[list[AccessMode], unique(4, least=1)] = Field(["ReadWriteOnce"], description="How it may be mounted.")
    shared: bool | None = Field(None, description="True if two versions of the application may write to it at the same time.")


class KeyToPath(Model):
    """Puts one key at a path within the volume."""

    key: DataKey = Field(description="The key.")
    path: RelativePath = Field(description="The path within the volume.")


class SecretVolume(Model):
    """A Secret of the same namespace, as files."""

    secret_name: ObjectName = Field(description="The Secret.")
    items: Annotated[list[KeyToPath], atomic(64)] | None = Field(
        None, description="Which keys, and where. Default: each as a file of its name."
    )
    optional: bool | None = Field(None, description="True if the pod may start without it. Default: false.")


class ConfigMapVolume(Model):
    """A ConfigMap of the same namespace, as files."""

    name: ObjectName = Field(description="The ConfigMap.")
    items: Annotated[list[KeyToPath], atomic(64)] | None = Field(
        None, description="Which keys, and where. Default: each as a file of its name."
    )
    optional: bool | None = Field(None, description="True if the pod may start without it. Default: false.")


class Volume(Model):
    """A volume, mounted into the application's container at mountPath."""

    rules: ClassVar[tuple[Rule, ...]] = (
        one_of("empty_dir", "claim", "secret", "config_map"),
        Rule(
            cel="!self.name.startsWith('writable-') && !self.name.startsWith('files-')",
            holds=lambda m: not m.name.startswith(("writable-", "files-")),
            message="names that start with writable- or files- are reserved for the operator",
            field=".name",
        ),
        HIDES_NO_SYSTEM,
    )

    name: Name = Field(description="Its name.")
    mount_path: AbsolutePath = Field(description="Where the application finds it.")
    read_only: bool | None = Field(None, description="True if the application may only read it. Default: false.")
    sub_path: RelativePath | None = Field(None, description="The path within the volume. Default: its root.")
    empty_dir: EmptyDir | None = None
    claim: Claim | None = None
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None

    @property
    def is_exclusive(self) -> bool:
        """True for a writable claim that only one node, or one pod, can mount: two versions cannot run side by side on it."""
        return self.claim is not None and not self.read_only and not {"ReadWriteMany", "ReadOnlyMany"} & set(self.claim.access_modes)

    @property
    def is_for_one_version(self) -> bool:
        """True for a writable claim of which nobody said that two versions may write to it at the same time."""
        return self.claim is not None and not self.read_only and not self.claim.shared and set(self.claim.access_modes) != {"ReadOnlyMany"}
