"""Google Cloud: a Cloud Run job, and a script that creates it and the Cloud Scheduler job that starts it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path, PurePosixPath

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import CONFIG_PATH, Cloud, File, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_text, fill_yaml

_ARTIFACT_REGISTRY = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/")


def render(schedule: Schedule) -> Rendered:
    """Return the job, and the script of gcloud commands that creates or updates everything.

    Raises:
        UsageError: If no image, or no project, region and service account are given.
    """
    cloud = schedule.cloud
    if cloud is None:
        raise UsageError(
            "A Cloud Run job needs a project, a region and a service account.",
            "give --project, --region and --service-account.",
        )
    job, script = f"{schedule.name}.job.yaml", f"{schedule.name}.gcloud.sh"
    build = f"{schedule.name}.build.yaml"
    notes = [
        "Cloud Run may start a run while one is active; the second one to publish ends with exit code 5."
    ]
    if schedule.retries:
        notes.append(
            "Cloud Run repeats a failed run whatever its exit code; --retries 0 repeats none. A run itself"
            " repeats requests to BigQuery that fail for a moment."
        )
    if schedule.checkout is None:
        notes.append("--build CHECKOUT also builds and pushes the image.")
    files = [File(job, _job(schedule, cloud)), File(script, _script(schedule, cloud, job, build))]
    if schedule.checkout is not None:
        files.append(File(build, fill_yaml("cloud_run_build.yaml", {"IMAGE": schedule.image.name})))
    if schedule.missed == "skip":
        notes.append("Cloud Scheduler retries a start that fails for some minutes.")
    if not any(
        word.startswith("bigquery://") for word in (*schedule.arguments, *schedule.environment.values())
    ):
        notes.append("a Cloud Run job keeps no files: publish to bigquery://project.dataset.")
    return Rendered(tuple(files), (f"sh {script}",), tuple(notes))


def _job(schedule: Schedule, cloud: Cloud) -> str:
    secrets = _mounted_secrets(schedule)
    paths = [PurePosixPath(path) for _, path in secrets]
    environment = schedule.container_environment()
    return fill_yaml(
        "cloud_run_job.yaml",
        {
            "NAME": schedule.name,
            "REGION": cloud.region,
            "SERVICE_ACCOUNT": cloud.account,
            "TIMEOUT_SECONDS": schedule.timeout * 60,
            "RETRIES": schedule.retries,
            "IMAGE": schedule.image.name,
            "ARGUMENT": list(schedule.arguments),
            "VARIABLE": list(environment),
            "VALUE": list(environment.values()),
            "SECRET_NUMBER": list(range(1, len(secrets) + 1)),
            "SECRET_NAME": [name for name, _ in secrets],
            "SECRET_FOLDER": [str(path.parent) for path in paths],
            "SECRET_FILE": [path.name for path in paths],
        },
    )


def _mounted_secrets(schedule: Schedule) -> list[tuple[str, str]]:
    """Return the name in Secret Manager and the path in the container of each mounted secret.

    The configuration file is mounted as a secret, too.
    """
    config = [(_config_secret(schedule), CONFIG_PATH)] if schedule.config else []
    return [*config, *((secret.reference, secret.mount_path) for secret in schedule.secrets)]


def _config_secret(schedule: Schedule) -> str:
    return f"{schedule.name}-config"


def _script(schedule: Schedule, cloud: Cloud, job: str, build: str) -> str:
    repository = _ARTIFACT_REGISTRY.match(schedule.image.name)
    account, _, domain = cloud.account.partition("@")
    apis = ["run", "cloudscheduler", "iam", "bigquery"]
    apis += ["secretmanager"] if _mounted_secrets(schedule) else []
    apis += ["artifactregistry"] if repository else []
    apis += ["cloudbuild"] if schedule.checkout is not None else []
    location, image_project, name = repository.groups() if repository else ("", "", "")
    start_uri = (
        f"https://run.googleapis.com/v2/projects/{cloud.project}/locations/{cloud.region}"
        f"/jobs/{schedule.name}:run"
    )
    # Absolute, as the script may be run in any folder.
    config = _absolute(schedule.config) if schedule.config else ""
    return fill_text(
        "cloud_run.gcloud.sh",
        {
            "API": " ".join(f"{api}.googleapis.com" for api in apis),
            "IF_OWN_ACCOUNT": domain == f"{cloud.project}.iam.gserviceaccount.com",
            "ACCOUNT_NAME": shlex.quote(account),
            "IF_REPOSITORY": repository is not None,
            "REPOSITORY": shlex.quote(name),
            "IMAGE_PROJECT": shlex.quote(image_project),
            "IMAGE_LOCATION": shlex.quote(location),
            "IF_BUILD": schedule.checkout is not None,
            "CHECKOUT": shlex.quote(_absolute(schedule.checkout or "")),
            "BUILD_FILE": shlex.quote(build),
            "IF_CONFIG": bool(schedule.config),
            "CONFIG_SECRET": shlex.quote(_config_secret(schedule)),
            "CONFIG_FILE": shlex.quote(config),
            "SECRET_NAME": [shlex.quote(name) for name, _ in _mounted_secrets(schedule)],
            "PROJECT": shlex.quote(cloud.project),
            "REGION": shlex.quote(cloud.region),
            "MEMBER": shlex.quote(f"serviceAccount:{cloud.account}"),
            "SERVICE_ACCOUNT": shlex.quote(cloud.account),
            "JOB_FILE": shlex.quote(job),
            "NAME": shlex.quote(schedule.name),
            "CRON": shlex.quote(schedule.cron),
            "TIMEZONE": shlex.quote(schedule.zone),
            "START_URI": shlex.quote(start_uri),
        },
    )


def _absolute(path: str) -> str:
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - keeps links
