"""What `-o json` prints, verb by verb. Fields are only ever added. `make gen` writes docs/schemas from these; no verb loads them.

What the cluster says is passed on as it is: such a part is a plain object here, and docs/reference.md has its fields.
"""

from collections.abc import Mapping
from typing import Any

from hardenctl.output.shapes import asking, backups, common, comparing, deploying, judging, looking, manifests, state
from hardenctl.output.shapes.asking import Done, Restored, RolledBack, Suspended
from hardenctl.output.shapes.backups import Backups
from hardenctl.output.shapes.comparing import FileDiff, History, RevisionDiff
from hardenctl.output.shapes.deploying import Deployed, DryRun
from hardenctl.output.shapes.judging import Check, Preflight, Report, Version
from hardenctl.output.shapes.looking import Events, Explained, Logs, ReasonPage, Tree
from hardenctl.output.shapes.manifests import Conversion, Ejected, Import, Manifests
from hardenctl.output.shapes.state import Services, Status, Statuses

#: Where all of them are.
ROOMS = (common, state, deploying, looking, comparing, asking, backups, manifests, judging)
#: By verb, what it prints: one of these, or a Failure.
SHAPES: Mapping[str, tuple[Any, ...]] = {
    "deploy": (Deployed, DryRun),
    "get": (Services,),
    "status": (Status, Statuses, Services),
    "explain": (Explained, ReasonPage),
    "events": (Events,),
    "logs": (Logs,),
    "tree": (Tree,),
    "report": (Report,),
    "diff": (FileDiff, RevisionDiff),
    "history": (History,),
    "rollback": (RolledBack,),
    "promote": (Done,),
    "abort": (Done,),
    "retry": (Done,),
    "pause": (Done,),
    "resume": (Done,),
    "suspend": (Suspended,),
    "unsuspend": (Suspended,),
    "backup create": (Done,),
    "backup verify": (Done,),
    "backup list": (Backups,),
    "restore": (Restored,),
    "eject": (Ejected,),
    "state export": (Manifests,),
    "state import": (Import,),
    "init": (Conversion,),
    "render": (Manifests,),
    "generate rbac": (Manifests,),
    "generate argocd": (Manifests,),
    "generate flux": (Manifests,),
    "preflight": (Preflight,),
    "check": (Check,),
    "version": (Version,),
}
