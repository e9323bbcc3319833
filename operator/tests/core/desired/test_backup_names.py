"""The names of what works on backups, for every service and every backup that the API takes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.runs.backups import VERIFY, backup
from tests.core.worlds import WEB, service

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.cron_job import cron_job, find_hand_job, hand_job, restore_hand_job, verify_cron_job, verify_hand_job
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.desired.restore_pod import Restoring
from hardened.core.desired.scaled_object import hpa_name
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.revision import render

SERVICES = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
BACKUPS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
PAIRS = st.tuples(SERVICES, BACKUPS)
#: What Kubernetes takes as the name of a pod, and as the value of a label.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: A CronJob puts a dash and the minutes since 1970 behind its name, for each of its Jobs.
RUN = "-29300000"
UID, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
RESTORING = Restoring("ab" * 32, "20260102_030405", hold="{}")

JOBS: Mapping[str, Callable[[HardenedService, BackupRun, str], Manifest | None]] = {
    "by hand": hand_job,
    "verified": verify_hand_job,
    "looked up": lambda svc, run, cause: find_hand_job(svc, run, RESTORING, cause),
    "restored": lambda svc, run, cause: restore_hand_job(svc, run, RESTORING, cause),
}


def made(pair: tuple[str, str]) -> tuple[HardenedService, BackupRun]:
    spec = {**WEB, "backups": [backup(name=pair[1], verify=VERIFY)]}
    svc = replace(service(spec), name=pair[0])
    (found,) = svc.spec.backups or ()
    return svc, BackupRun(found, BackupKit("backup:1"), render(svc), has_pods=True, may_init=True)


def schedules(pair: tuple[str, str]) -> list[Manifest]:
    svc, run = made(pair)
    verifies = verify_cron_job(svc, run, is_suspended=False, makes_up=True)
    assert verifies
    return [cron_job(svc, run, is_suspended=False, makes_up=True), verifies]


def jobs(pair: tuple[str, str], cause: str = UID) -> list[Manifest]:
    svc, run = made(pair)
    found = [make(svc, run, cause) for make in JOBS.values()]
    return [job for job in found if job]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(PAIRS)
@example(("a" * 40, "b" * 40))
@example(("a" * 39 + "b", "0-" * 19 + "b1"))
@example(("a", "0"))
def test_all_names_and_labels_fit_with_what_kubernetes_puts_behind_them(pair: tuple[str, str]) -> None:
    for schedule in schedules(pair):
        assert len(schedule["metadata"]["name"]) <= 52
        assert LABEL.fullmatch(schedule["metadata"]["name"] + RUN), "the label by which a pod names its Job"
    made_jobs = jobs(pair)
    assert len(made_jobs) == len(JOBS)
    for job in made_jobs:
        assert LABEL.fullmatch(job["metadata"]["name"]), "the same; what is generated of it is cut by the server"
    templates = [each["spec"]["jobTemplate"] for each in schedules(pair)] + made_jobs
    for each in (*schedules(pair), *templates, *(template["spec"]["template"] for template in templates)):
        labels = each["metadata"]["labels"]
        assert (labels[names.SERVICE_LABEL], labels[names.BACKUP_LABEL]) == pair
        assert all(len(value) <= 63 for value in labels.values())
    assert LABEL.fullmatch(hpa_name(made(pair)[0]))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(PAIRS, PAIRS)
@example(("a" * 40, "b" * 39 + "c"), ("a" * 40, "b" * 39 + "d"))
@example(("a", "b-verify"), ("a", "b"))
@example(("a-b", "c"), ("a", "b-c"))
@example(("shop", "nightly"), ("shop", "nightly"))
def test_no_two_of_them_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    pairs = {one, other}
    for found_of in (schedules, lambda pair: jobs(pair) + jobs(pair, OTHER)):
        found = [each["metadata"]["name"] for pair in pairs for each in found_of(pair)]
        assert len(set(found)) == len(found)
