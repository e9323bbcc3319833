"""`python -m e2e.install`: the operator of this checkout onto a cluster. Again at any time: what is there already is not done twice."""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from hardened import __version__
from hardened.api.names import GROUP, PLURAL

from .cluster import Provider, choose, images, tools
from .cluster.command import Argument, attempt, run
from .cluster.errors import ClusterError
from .cluster.existing import ExistingCluster
from .cluster.program import run_program
from .cluster.progress import say, span, step

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts/hardened-operator"
DOCKERFILE = ROOT / "operator/Dockerfile"
BACKUP_DOCKERFILE = ROOT / "operator/Dockerfile.backup"
RELEASE = "hardened-operator"
NAMESPACE = "hardened-system"
REPOSITORY = "docker.io/hardened/operator"
BACKUP_REPOSITORY = "docker.io/hardened/backup"
CRD_NAME = f"{PLURAL}.{GROUP}"
TIMEOUT_S = 180


@cache
def image_name() -> str:
    """The name of the image that this checkout makes: its tag is the version and a digest of all that goes into it and into backup pods.

    Read once: what a process has put on the nodes is what it asks them for later, whatever becomes of the checkout meanwhile.
    """
    sources = [path for path in sorted((ROOT / "operator/hardened").rglob("*")) if path.is_file() and not _is_cache(path)]
    digest = hashlib.sha256()
    for path in [DOCKERFILE, BACKUP_DOCKERFILE, ROOT / ".dockerignore", ROOT / "requirements-operator.lock", *sources]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    digest.update(tools.RESTIC.key.encode())
    return f"{REPOSITORY}:{__version__}-{digest.hexdigest()[:12]}"


def backup_image_name() -> str:
    """The name of the image of backup pods, under the tag of the operator's."""
    return f"{BACKUP_REPOSITORY}:{image_name().rpartition(':')[2]}"


def to_export(kubeconfig: Path) -> str:
    """For a shell: the cluster's kubeconfig, and a PATH with whatever of kubectl, hardenctl and helm it lacks."""
    folders = {"kubectl": tools.bin_dir(), "hardenctl": Path(sys.executable).parent, "helm": tools.helm().parent}
    path = "".join(f"{folder}:" for program, folder in folders.items() if not shutil.which(program))
    return f"export KUBECONFIG={kubeconfig}" + (f" PATH={path}$PATH" if path else "")


def _is_cache(path: Path) -> bool:
    return any(part == "__pycache__" or part.endswith("_cache") for part in path.parts)


def ensure_image() -> str:
    """Builds the operator's image where it is not there yet. Its name."""
    name = image_name()
    if not images.store().image_id(name):
        images.build(DOCKERFILE, ROOT, name)
    return name


def ensure_backup_image() -> str:
    """Builds the image of backup pods where it is not there yet: three minutes the first time on two cores. Its name."""
    name = backup_image_name()
    if not images.store().image_id(name):
        with tempfile.TemporaryDirectory(prefix="backup-image-") as folder:
            context = Path(folder)
            shutil.copytree(
                ROOT / "operator/hardened", context / "operator/hardened", ignore=shutil.ignore_patterns("__pycache__", "*_cache")
            )
            (context / "build").mkdir()
            shutil.copy2(tools.restic(), context / "build")
            images.build(BACKUP_DOCKERFILE, context, name)
    return name


def image_values(image: str) -> dict[str, str]:
    """An image's name as the chart takes it.

    Examples: "host:5000/a/b:1" -> repository "host:5000/a/b", tag "1"; "a/b@sha256:…" -> repository "a/b", digest "sha256:…".
    """
    name, _, digest = images.full_name(image).partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return {"repository": repository, "tag": tag, "digest": digest}


def cluster_of(name: str, kubeconfig: Path | None) -> Provider:
    """The cluster that the kubeconfig leads to: one of ours, which takes images, or somebody else's. None: ours of that name."""
    if kubeconfig is None:
        return choose(name)
    try:
        ours = choose(kubeconfig.absolute().parent.name)
        if ours.kubeconfig.samefile(kubeconfig):
            return ours
    except (ClusterError, OSError):
        pass
    return ExistingCluster(name, kubeconfig)


def install(cluster: Provider, image: str | None = None, helm_args: tuple[str, ...] = (), *, backups: bool = False) -> None:
    """The operator with this image, or with this checkout's, ready to work when this returns.

    helm_args: passed on to `helm upgrade`; backups: the nodes get the image of backup pods, too, for an operator of this checkout.
    """
    kubeconfig = cluster.kubeconfig
    if backups:
        cluster.load([ensure_backup_image()])
    if image is None:
        image = ensure_image()
        cluster.load([image])
    _ensure_namespace(kubeconfig)
    helm: list[Argument] = [tools.helm(), "--kubeconfig", kubeconfig, "--namespace", NAMESPACE]
    values = [f"--set-string=image.{key}={value}" for key, value in image_values(image).items()] + list(helm_args)
    wanted = f"of the checkout {_chart_digest(values)}"
    _unlock(helm, cluster)
    if not _is_installed(helm, kubeconfig, wanted):
        with step(f"helm upgrade --install {RELEASE} ({image})"):
            _upgrade(helm, kubeconfig, values, wanted)


def _ensure_namespace(kubeconfig: Path) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    apply = ["apply", "--server-side", "--field-manager=hardened-install", "--filename=-"]
    run([tools.kubectl(), "--kubeconfig", kubeconfig, *apply], stdin=json.dumps(manifest), timeout=60)


def _chart_digest(values: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(values).encode())
    for path in sorted(CHART.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(CHART)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _release(helm: Sequence[Argument]) -> dict[str, Any]:
    """What helm knows of the last release; empty where there is none."""
    found = attempt([*helm, "status", RELEASE, "--output=json"], timeout=60)
    return dict(json.loads(found.stdout)["info"]) if found.returncode == 0 else {}


def release_status(helm: Sequence[Argument]) -> str:
    """helm's word for how the last release is: deployed, pending-upgrade, …; empty where there is none."""
    return str(_release(helm).get("status", ""))


def _unlock(helm: Sequence[Argument], cluster: Provider) -> None:
    """A helm that was killed leaves its release pending, and no later one will touch it. Raises ClusterError on a cluster of others."""
    status = release_status(helm)
    if not status.startswith("pending-"):
        return
    # Nothing was released before a first install; its CRD stays, as its annotation says.
    words = ["uninstall", RELEASE, "--wait"] if status == "pending-install" else ["rollback", RELEASE]
    if isinstance(cluster, ExistingCluster):
        remedy = f"helm -n {NAMESPACE} {' '.join(words)}"
        raise ClusterError(f"the release {RELEASE} is {status}: another helm works on it, or was killed at it; then free it by `{remedy}`")
    with step(f"helm {words[0]} {RELEASE}, which is {status}"):
        run([*helm, *words, f"--timeout={TIMEOUT_S}s"], timeout=TIMEOUT_S + 60)


def _is_installed(helm: Sequence[Argument], kubeconfig: Path, wanted: str) -> bool:
    """Whether the last release is this one, nobody has changed its objects since, and its pods are ready. Quicker than helm to tell."""
    info = _release(helm)
    if (info.get("status"), info.get("description")) != ("deployed", wanted):
        return False
    manifests = run([*helm, "get", "manifest", RELEASE], timeout=60).split("\n---\n")
    kubectl: list[Argument] = [tools.kubectl(), "--kubeconfig", kubeconfig, "--namespace", NAMESPACE]
    if attempt([*kubectl, "get", "customresourcedefinition", CRD_NAME, "--output=name"], timeout=60).returncode:
        return False
    # Of the CRD it is enough that it is there: the API server compiles its rules anew at each dry run.
    compared = [text for text in manifests if "kind: CustomResourceDefinition" not in text]
    # Not as the manager `helm`: that one owns annotations, too, which are not in the manifests.
    difference = [*kubectl, "diff", "--server-side", "--force-conflicts", "--field-manager=hardened-install", "--filename=-"]
    if attempt(difference, stdin="\n---\n".join(compared), timeout=60).returncode:
        return False
    rollout = attempt([*kubectl, "rollout", "status", f"deployment/{RELEASE}", "--watch=false"], timeout=60)
    return "successfully rolled out" in rollout.stdout


def _upgrade(helm: Sequence[Argument], kubeconfig: Path, values: list[str], description: str) -> None:
    # A CRD that kubectl applied before becomes the release's, as its crds.enabled says.
    options = ["--take-ownership", "--force-conflicts", "--wait", f"--timeout={TIMEOUT_S}s", f"--description={description}"]
    done = attempt([*helm, "upgrade", "--install", RELEASE, CHART, *options, *values], timeout=TIMEOUT_S + 60)
    if done.returncode:
        raise ClusterError(f"helm: {done.stderr.strip()}\n{_why(kubeconfig)}")


def _why(kubeconfig: Path) -> str:
    """What the operator's pods and their last words say about it."""
    kubectl: list[Argument] = [tools.kubectl(), "--kubeconfig", kubeconfig, "--namespace", NAMESPACE, "--request-timeout=10s"]
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    pods = attempt([*kubectl, "get", "pods", selector], timeout=30).stdout
    logs = attempt([*kubectl, "logs", selector, "--tail=5", "--prefix"], timeout=30).stdout
    return f"{pods}{logs}".rstrip()


def command(
    helm_args: Annotated[list[str] | None, typer.Argument(help="For `helm upgrade`, after `--`: e.g. `-- --set replicas=1`.")] = None,
    name: Annotated[str, typer.Option("--name", envvar="CLUSTER", help="The local cluster, where no kubeconfig is named.")] = "demo",
    kubeconfig: Annotated[
        Path | None, typer.Option(envvar=["HARDENED_KUBECONFIG", "KUBECONFIG"], help="The cluster to install onto.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="An image that the cluster can pull, instead of this checkout's.")] = None,
    backups: Annotated[bool, typer.Option("--backups", help="Build and load the image of backup pods, too.")] = False,
) -> None:
    """Install the operator, or bring it up to this checkout: image, namespace, chart."""
    began = time.monotonic()
    install(cluster_of(name, kubeconfig), image, tuple(helm_args or ()), backups=backups)
    say(f"the operator is ready after {span(time.monotonic() - began)}: kubectl -n {NAMESPACE} get pods")


def main() -> None:
    """The program: an error that a person can do something about is one line, and exit status 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    run_program(app)


if __name__ == "__main__":
    main()
