"""Schedulers that start containers only: Kubernetes, Cloud Run, GitHub Actions, Airflow."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
import types
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import TARGETS, Schedule, render
from rfm_pipeline.schedule.spec import USER_ID, Identity, Image, Secret
from support.awkward_commands import ARGUMENTS, TOOLS, VALUES, container_schedule, schedule
from support.paths import ROOT

PLACE = "/run/secrets/google_application_credentials/secret.json"
GIVEN = VALUES | {"GOOGLE_APPLICATION_CREDENTIALS": PLACE}
CONTAINERS_ONLY = ("kubernetes", "cloud-run", "github-actions", "airflow")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / 'rfm, "50%" é.toml'
    path.write_text("source = 'Zoë.csv'  # 100 %\n\n[columns]\ncustomer_id = 'on: no'\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("target", CONTAINERS_ONLY)
def test_targets_for_containers_need_an_image(target: str) -> None:
    with pytest.raises(UsageError) as error:
        render(target, schedule(cloud=container_schedule().cloud))
    assert error.value.hint == "name an image with --image."


SECRETS = (
    '{"type": "service_account", "private_key": "hunter2"}',
    "-----BEGIN PRIVATE KEY-----\nhunter2",
    "ya29.a0hunter2",
    "ghp_hunter2hunter2hunter2hunter2hunter2",
    "AKIAIOSFODNN7HUNTER2",
    "https://shop:hunter2@example.com/orders.csv",
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("value", SECRETS)
def test_a_value_that_looks_like_a_secret_is_refused_and_not_repeated(target: str, value: str) -> None:
    for values in (
        {"environment": {"CREDENTIALS": value}},
        {"arguments": ("run", value)},
        {"secrets": (Secret("CREDENTIALS", value),)},
        {"secrets": (Secret("CREDENTIALS", f"/srv/shop/{value}"),)},
        {"environment": {value: "x"}},
        {"folder": f"/srv/{value}"},
    ):
        with pytest.raises(UsageError, match="looks like a secret") as error:
            render(target, container_schedule(**values))
        assert "hunter2" not in f"{error.value} {error.value.hint}".casefold()


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "TOKEN", "RFM_TOKEN", "client_secret", "AWS_SECRET_ACCESS_KEY", "API_KEY"]
)
def test_the_value_of_a_variable_named_like_a_secret_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"The value of {name} is a secret") as error:
        schedule(environment={name: "hunter2"})
    assert "hunter2" not in f"{error.value} {error.value.hint}"
    assert schedule(secrets=(Secret(name, "/srv/keys/key"),)).variables == (name,)


# Kubernetes


def on_kubernetes(**values: Any) -> Schedule:
    """Return a schedule with a secret whose name Kubernetes allows."""
    return container_schedule(
        **{"secrets": (Secret("GOOGLE_APPLICATION_CREDENTIALS", "rfm-bigquery/key.json"),), **values}
    )


def objects(daily: Schedule) -> dict[str, dict[str, Any]]:
    (file,) = render("kubernetes", daily).files
    return {document["kind"]: document for document in yaml.safe_load_all(file.text)}


def expanded(text: str) -> str:
    """Return a value as Kubernetes expands it: `$$` is a dollar sign, `$(NAME)` would be a variable."""
    assert not re.search(r"(?<!\$)(\$\$)*\$\(", text)
    return text.replace("$$", "$")


def test_the_objects_fit_the_schema_of_the_api(config: Path) -> None:
    result = objects(on_kubernetes(config=str(config)))
    assert set(result) == {"PersistentVolumeClaim", "ConfigMap", "CronJob"}
    for document in result.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_schemas_accept_the_cron_job_from_the_version_on_that_the_note_names() -> None:
    rendered = render("kubernetes", on_kubernetes())
    assert "the CronJob needs Kubernetes 1.29 or later." in rendered.notes
    job = objects(on_kubernetes())["CronJob"]
    latest = int(kubernetes_validate.latest_version().split(".")[1])
    for minor in range(29, latest + 1):
        kubernetes_validate.validate(job, f"1.{minor}", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.28", strict=True)


def test_github_notes_when_it_runs_no_schedules() -> None:
    notes = render("github-actions", container_schedule()).notes
    assert any("only if its file is on the default branch" in note for note in notes)
    assert any("public repository that had no activity for 60 days" in note for note in notes)


def test_the_schema_rejects_an_unknown_setting() -> None:
    job = objects(on_kubernetes())["CronJob"]
    job["spec"]["timezone"] = "UTC"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_a_cron_job_starts_on_time_and_forbids_concurrent_runs() -> None:
    spec = objects(on_kubernetes(timeout=90))["CronJob"]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 3 * * *", "Europe/London")
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 23 * 3600
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 5400
    assert objects(on_kubernetes(missed="skip"))["CronJob"]["spec"]["startingDeadlineSeconds"] == 300
    assert objects(on_kubernetes(timezone=None))["CronJob"]["spec"]["timeZone"] == "Etc/UTC"


def test_a_pod_has_no_privileges_and_runs_as_the_images_user() -> None:
    assert f"USER {USER_ID}:{USER_ID}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    pod = objects(on_kubernetes())["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER_ID
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_values_that_need_escaping_are_read_back_from_the_cron_job(config: Path) -> None:
    daily = on_kubernetes(config=str(config))
    result = objects(daily)
    pod = result["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert tuple(map(expanded, container["args"])) == ARGUMENTS
    environment_values = {variable["name"]: expanded(variable["value"]) for variable in container["env"]}
    assert environment_values == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert result["ConfigMap"]["data"] == {"rfm.toml": config.read_text(encoding="utf-8")}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["secret-1"]["secret"]["secretName"] == "rfm-bigquery"
    assert volumes["secret-1"]["secret"]["items"] == [{"key": "key.json", "path": "secret.json"}]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places == {"data": "/data", "config": "/etc/rfm/rfm.toml", "secret-1": PLACE.rpartition("/")[0]}


GOOGLE_ACCOUNT = "rfm@shop-prod.iam.gserviceaccount.com"
FROM_BIGQUERY = {"RFM_SOURCE": "bigquery://a.b.c", "RFM_TO": "bigquery://a.b"}


def test_a_pod_acts_as_an_account_of_google_without_a_key() -> None:
    daily = on_kubernetes(identity=Identity(GOOGLE_ACCOUNT), namespace="jobs", secrets=())
    result = objects(daily)
    assert set(result) == {"ServiceAccount", "PersistentVolumeClaim", "CronJob"}
    for document in result.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        assert document["metadata"]["namespace"] == "jobs"
    annotations = result["ServiceAccount"]["metadata"]["annotations"]
    assert annotations == {"iam.gke.io/gcp-service-account": GOOGLE_ACCOUNT}
    pod = result["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == result["ServiceAccount"]["metadata"]["name"]
    assert render("kubernetes", daily).next_commands[0] == (
        f"gcloud iam service-accounts add-iam-policy-binding {GOOGLE_ACCOUNT}"
        " --role roles/iam.workloadIdentityUser"
        " --member 'serviceAccount:shop-prod.svc.id.goog[jobs/rfm-daily]'"
    )


def test_a_pod_takes_an_existing_service_account_and_pull_secret() -> None:
    image = Image("registry.example:5000/shop/rfm:1", pull_secret="registry")  # noqa: S106 - a name
    daily = on_kubernetes(identity=Identity("reports"), runs=image, retries=4)
    result = objects(daily)
    assert "ServiceAccount" not in result
    kubernetes_validate.validate(result["CronJob"], kubernetes_validate.latest_version(), strict=True)
    job = result["CronJob"]["spec"]["jobTemplate"]["spec"]
    assert job["backoffLimit"] == 4
    assert job["template"]["spec"]["serviceAccountName"] == "reports"
    assert job["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert any(
        line.startswith(
            "kubectl create secret docker-registry registry --docker-server=registry.example:5000 "
        )
        for line in render("kubernetes", daily).next_commands
    )


@pytest.mark.parametrize(
    ("values", "keeps"),
    [
        ({"environment": FROM_BIGQUERY}, False),
        ({"environment": {}, "arguments": ("run", "bigquery://a.b.c", "--to", "bigquery://a.b")}, False),
        ({"environment": {}, "arguments": ("run", "--to=bigquery://a.b", "bigquery://a.b.c")}, False),
        ({"environment": FROM_BIGQUERY, "arguments": ("run", "-o", "x.csv")}, True),
        ({"environment": FROM_BIGQUERY | {"RFM_REPORT": "r.html"}}, True),
        ({"environment": FROM_BIGQUERY | {"RFM_SOURCE": "orders.csv"}}, True),
        ({"environment": {}, "arguments": ("run", "--to", "bigquery://a.b")}, True),
        ({"environment": FROM_BIGQUERY, "arguments": ("export", "-o", "x.csv")}, True),
    ],
)
def test_a_volume_is_claimed_only_for_files(values: dict[str, Any], keeps: bool) -> None:
    result = objects(on_kubernetes(**{"arguments": ("run",), **values}))
    assert ("PersistentVolumeClaim" in result) == keeps
    pod = result["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "data")
    assert ("emptyDir" in volume) == (not keeps)
    kubernetes_validate.validate(result["CronJob"], kubernetes_validate.latest_version(), strict=True)


def test_the_configuration_file_tells_whether_a_volume_is_needed(tmp_path: Path) -> None:
    config = tmp_path / "rfm.toml"
    daily = on_kubernetes(config=str(config), environment={}, arguments=("run",))
    config.write_text("source = 'bigquery://a.b.c'\nto = 'bigquery://a.b'\n", encoding="utf-8")
    assert "PersistentVolumeClaim" not in objects(daily)
    config.write_text(
        "source = 'bigquery://a.b.c'\nto = 'bigquery://a.b'\noutput = ['x.csv']\n", encoding="utf-8"
    )
    assert "PersistentVolumeClaim" in objects(daily)


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"namespace": "Jobs"}, "--namespace"),
        ({"identity": Identity("my account")}, "--service-account"),
        ({"identity": Identity("me@example.com")}, "--service-account"),
        ({"runs": Image("rfm", pull_secret="A B")}, "--pull-secret"),  # noqa: S106
    ],
)
def test_a_name_that_kubernetes_does_not_accept_is_an_error(values: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError, match=f"^{flag} is not"):
        render("kubernetes", on_kubernetes(**values))


def test_an_invalid_configuration_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text("source = orders.csv", encoding="utf-8")
    for name, sentence in (("rfm.toml", "is not valid TOML"), ("none.toml", "does not exist")):
        with pytest.raises(UsageError, match=sentence):
            render("kubernetes", on_kubernetes(config=str(tmp_path / name)))


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_line_separators_of_yaml_1_1_are_preserved(character: str, tmp_path: Path) -> None:
    path = tmp_path / "rfm.toml"
    path.write_bytes(f"source = 'orders.csv'\n# a{character}b\n\n".encode())
    result = objects(on_kubernetes(config=str(path)))
    assert result["ConfigMap"]["data"]["rfm.toml"].encode() == path.read_bytes()
    with pytest.raises(UsageError, match="The value of RFM_TO contains the character"):
        schedule(environment={"RFM_TO": f"a{character}b"})


def test_a_configuration_file_with_a_private_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rfm.toml"
    for line in ('x = """\n-----BEGIN PRIVATE KEY-----\nhunter2"""', 'private_key = "hunter2"'):
        path.write_text(f"source = 'orders.csv'\n{line}\n", encoding="utf-8")
        with pytest.raises(UsageError, match="looks like a secret") as error:
            render("kubernetes", on_kubernetes(config=str(path)))
        assert "hunter2" not in f"{error.value} {error.value.hint}"


def test_a_reference_that_is_not_a_secrets_name_is_an_error() -> None:
    for reference in ("BIGQUERY_KEY", "not/a/name", "/key", "a b"):
        with pytest.raises(UsageError, match="is not the name of a Kubernetes Secret") as error:
            render("kubernetes", on_kubernetes(secrets=(Secret("KEY", reference),)))
        assert reference not in str(error.value)
    with pytest.raises(UsageError, match="is not the name of a GitHub secret"):
        render("github-actions", container_schedule(secrets=(Secret("KEY", "my-key"),)))


# Cloud Run


def test_the_cloud_run_job_contains_unchanged_values(config: Path) -> None:
    job, _ = render("cloud-run", container_schedule(config=str(config), timeout=90)).files
    document = yaml.safe_load(job.text)
    assert (document["apiVersion"], document["kind"]) == ("run.googleapis.com/v1", "Job")
    task = document["spec"]["template"]["spec"]["template"]["spec"]
    (container,) = task["containers"]
    assert (task["timeoutSeconds"], task["maxRetries"]) == (5400, 2)
    assert task["serviceAccountName"] == "rfm@my-project.iam.gserviceaccount.com"
    assert tuple(container["args"]) == ARGUMENTS
    environment_values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environment_values == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert {volume["secret"]["secretName"] for volume in task["volumes"]} == {
        "rfm-daily-config",
        "BIGQUERY_KEY",
    }
    assert len(task["volumes"]) == len(container["volumeMounts"])


@pytest.mark.slow
def test_the_script_creates_and_updates_the_job_and_its_trigger(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    image = Image("europe-west1-docker.pkg.dev/my-project/shop/rfm:1")
    daily = container_schedule(config=config.name, runs=image, checkout="my checkout")
    job, script, build = render("cloud-run", daily).files
    done = subprocess.run(
        [TOOLS / "shellcheck", "-"], input=script.text, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    # A replacement of gcloud that remembers what it has created.
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "words, here = sys.argv[1:], pathlib.Path(__file__).parent\n"
        "made = here / ('made-' + words[0])\n"
        "if 'describe' in words:\n"
        "    sys.exit(not made.exists())\n"
        "if 'create' in words:\n"
        "    made.touch(exist_ok=False)\n"
        "if 'replace' in words:\n"
        "    assert pathlib.Path(words[3]).exists()\n"
        "with (here / 'calls').open('a', encoding='utf-8') as calls:\n"
        "    print(json.dumps(words), file=calls)\n",
        encoding="utf-8",
    )
    gcloud.chmod(0o755)
    written = tmp_path / "written"
    written.mkdir()
    for file in (job, script, build):
        (written / file.name).write_bytes(file.encoded())
    for _ in range(2):
        subprocess.run(
            ["sh", written / script.name], cwd="/", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True
        )
    lines = [json.loads(line) for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]
    always = [
        ["secrets", "add-iam-policy-binding", "rfm-daily-config"],
        ["secrets", "add-iam-policy-binding", "BIGQUERY_KEY"],
        ["run", "jobs", "replace"],
        ["run", "jobs", "add-iam-policy-binding"],
    ]
    assert [line[:3] for line in lines] == [
        ["services", "enable", "run.googleapis.com"], ["iam", "service-accounts", "create"],
        ["artifacts", "repositories", "create"], ["builds", "submit", str(config.parent / "my checkout")],
        ["secrets", "create", "rfm-daily-config"], *always, ["scheduler", "jobs", "create"],
        ["services", "enable", "run.googleapis.com"],
        ["builds", "submit", str(config.parent / "my checkout")],
        ["secrets", "versions", "add"], *always, ["scheduler", "jobs", "update"],
    ]  # fmt: skip
    assert lines[4][-1] == lines[12][-1] == str(config)
    assert lines[9][4:] == lines[17][4:]
    assert {api.partition(".")[0] for api in lines[0][2:-2]} == {
        "run", "cloudscheduler", "iam", "bigquery", "secretmanager", "artifactregistry", "cloudbuild",
    }  # fmt: skip
    assert lines[2][3:] == [
        "shop", "--project", "my-project", "--location", "europe-west1", "--repository-format", "docker",
    ]  # fmt: skip
    assert lines[3][3:] == ["--project", "my-project", "--config", build.name]
    (step,) = yaml.safe_load(build.text)["steps"]
    assert step["args"] == ["build", "--tag", image.name, "."]
    assert yaml.safe_load(build.text)["images"] == [image.name]
    trigger = dict(zip(lines[-1][5::2], lines[-1][6::2], strict=True))
    assert trigger["--schedule"] == "30 3 * * *"
    assert trigger["--time-zone"] == "Europe/London"
    assert trigger["--uri"].endswith("/v2/projects/my-project/locations/europe-west1/jobs/rfm-daily:run")


def test_an_image_that_exists_elsewhere_is_not_built() -> None:
    rendered = render("cloud-run", container_schedule())
    assert len(rendered.files) == 2
    assert "builds submit" not in rendered.files[1].text
    assert "artifacts" not in rendered.files[1].text
    assert "--build CHECKOUT also builds and pushes the image." in rendered.notes


def test_cloud_run_notes_that_files_are_lost() -> None:
    with pytest.raises(UsageError, match="a project, a region"):
        render("cloud-run", container_schedule(cloud=None))
    assert any("publish to bigquery" in note for note in render("cloud-run", container_schedule()).notes)
    to = container_schedule(environment={"RFM_TO": "bigquery://p.d"})
    assert not any("publish to bigquery" in note for note in render("cloud-run", to).notes)


# GitHub Actions


def workflow(daily: Schedule) -> dict[str, Any]:
    (file,) = render("github-actions", daily).files
    document: dict[str, Any] = yaml.safe_load(file.text)
    return document


def evaluated(text: str) -> str:
    """Return a value as Actions evaluates it; the only allowed expressions are quoted texts."""
    parts = re.split(r"\$\{\{ '(\$\{\{)' \}\}", text)
    assert not any("${{" in part for part in parts[::2])
    return "".join(parts)


def test_the_workflow_starts_on_time_with_minimal_permissions_and_no_concurrency() -> None:
    result = workflow(container_schedule(timeout=90))
    assert result["on"]["schedule"] == [{"cron": "30 3 * * *", "timezone": "Europe/London"}]
    assert result["permissions"] == {}
    assert result["concurrency"] == {"group": "rfm-daily", "cancel-in-progress": False}
    assert result["jobs"]["run"]["timeout-minutes"] == 90
    assert result["jobs"]["run"]["permissions"] == {"contents": "read"}
    assert workflow(container_schedule(timezone=None))["on"]["schedule"] == [{"cron": "30 3 * * *"}]


def test_the_checkout_action_is_the_version_of_this_project() -> None:
    ci_workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    first = workflow(container_schedule())["jobs"]["run"]["steps"][0]
    assert f"uses: {first['uses']} #" in ci_workflow
    image_workflow = (ROOT / ".github" / "workflows" / "image.yml").read_text(encoding="utf-8")
    on_ghcr = container_schedule(runs=Image("ghcr.io/shop/rfm:1"))
    second = workflow(on_ghcr)["jobs"]["run"]["steps"][1]
    assert f"uses: {second['uses']} #" in image_workflow


PROVIDER = "projects/123/locations/global/workloadIdentityPools/github/providers/shop"
ARTIFACT_REGISTRY = Image("europe-west1-docker.pkg.dev/shop/rfm/rfm:1")


@pytest.mark.parametrize(
    ("values", "login", "permissions"),
    [
        ({}, None, {}),
        (
            {"runs": Image("ghcr.io/shop/rfm:1")},
            ("ghcr.io", "${{ github.actor }}", "${{ secrets.GITHUB_TOKEN }}"),
            {"packages": "read"},
        ),
        (
            {"runs": Image("registry.example/rfm:1", pull_secret="REGISTRY")},  # noqa: S106
            ("registry.example", "${{ secrets.REGISTRY_USERNAME }}", "${{ secrets.REGISTRY_PASSWORD }}"),
            {},
        ),
        (
            {"runs": ARTIFACT_REGISTRY, "identity": Identity(provider=PROVIDER), "secrets": ()},
            (
                "europe-west1-docker.pkg.dev",
                "oauth2accesstoken",
                "${{ steps.google.outputs.auth_token }}",
            ),
            {"id-token": "write"},
        ),
        (
            {"runs": ARTIFACT_REGISTRY, "identity": Identity(GOOGLE_ACCOUNT, PROVIDER), "secrets": ()},
            (
                "europe-west1-docker.pkg.dev",
                "oauth2accesstoken",
                "${{ steps.google.outputs.access_token }}",
            ),
            {"id-token": "write"},
        ),
    ],
    ids=["none", "ghcr", "secret", "identity", "account"],
)
def test_the_workflow_logs_in_to_the_registry(
    values: dict[str, Any], login: tuple[str, str, str] | None, permissions: dict[str, str]
) -> None:
    result = workflow(container_schedule(**values))
    validate_workflow(result)
    job = result["jobs"]["run"]
    assert job["permissions"] == {"contents": "read", **permissions}
    logins = [step["with"] for step in job["steps"] if "docker/login-action" in step.get("uses", "")]
    names = ("registry", "username", "password")
    assert logins == ([dict(zip(names, login, strict=True))] if login else [])


def validate_workflow(document: dict[str, Any]) -> None:
    """Validate a workflow against the schema of SchemaStore, of which check-jsonschema has a copy."""
    schema = json.loads(
        (resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "github-workflows.json")
        .read_text(encoding="utf-8")
    )  # fmt: skip
    jsonschema.Draft7Validator(schema).validate(document)


def test_the_schema_of_workflows_rejects_an_unknown_permission() -> None:
    result = workflow(container_schedule())
    validate_workflow(result)
    result["jobs"]["run"]["permissions"]["package"] = "read"
    with pytest.raises(jsonschema.ValidationError):
        validate_workflow(result)


def test_the_credentials_of_a_provider_are_mounted_in_place_of_a_key(tmp_path: Path) -> None:
    identity = Identity(GOOGLE_ACCOUNT, PROVIDER)
    steps = workflow(container_schedule(identity=identity, secrets=()))["jobs"]["run"]["steps"]
    (google,) = (step for step in steps if "google-github-actions/auth" in step.get("uses", ""))
    assert google["with"] == {"workload_identity_provider": PROVIDER, "service_account": GOOGLE_ACCOUNT}
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    docker.chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", evaluated(steps[-1]["run"])],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "GITHUB_WORKSPACE": "/w",
            "GOOGLE_APPLICATION_CREDENTIALS": '/w/gha creds,"1".json'.replace('"', '""'),
        },
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    words = done.stdout.splitlines()
    assert 'type=bind,"source=/w/gha creds,""1"".json",target=/run/google/credentials.json,readonly' in words
    assert "GOOGLE_APPLICATION_CREDENTIALS=/run/google/credentials.json" in words


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"identity": Identity(provider="shop")}, "--workload-identity-provider is not the resource name"),
        ({"identity": Identity(provider=PROVIDER)}, "GOOGLE_APPLICATION_CREDENTIALS is given, and so is"),
        ({"runs": Image("r.example/rfm", pull_secret="a-b")}, "--pull-secret is not"),  # noqa: S106
    ],
)
def test_an_identity_that_github_can_not_use_is_an_error(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        render("github-actions", container_schedule(**values))


def test_values_that_need_escaping_pass_the_workflows_shell_unchanged(tmp_path: Path) -> None:
    daily = container_schedule(config='conf, "50%" $x/é.toml')
    *_, secrets, run = workflow(daily)["jobs"]["run"]["steps"]
    assert secrets["env"] == {"GOOGLE_APPLICATION_CREDENTIALS": "${{ secrets.BIGQUERY_KEY }}"}
    # A replacement of docker that prints its arguments.
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!{sys.executable}\nimport sys\nprint("\\0".join(sys.argv[1:]), end="")\n', encoding="utf-8"
    )
    docker.chmod(0o755)
    temporary = tmp_path / "tmp"
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "GITHUB_WORKSPACE": "/home/runner/work/shop",
        "RUNNER_TEMP": str(temporary),
    }
    bash = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]
    key = '{"key": "it\'s 50% $HOME"}'
    subprocess.run(
        [*bash, secrets["run"]], env=environment | {"GOOGLE_APPLICATION_CREDENTIALS": key}, check=True
    )
    assert (temporary / "secrets/google_application_credentials/secret.json").read_text(
        encoding="utf-8"
    ) == key
    environment_values = {name: evaluated(value) for name, value in run["env"].items()}
    done = subprocess.run(
        [*bash, evaluated(run["run"])],
        env=environment | environment_values,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    words = done.stdout.split("\0")
    assert "--init" in words
    assert tuple(words[-len(ARGUMENTS) :]) == ARGUMENTS
    passed = [words[position + 1] for position, word in enumerate(words) if word == "--env"]
    assert {name: environment_values[name] for name in passed} == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    mounts = [
        next(csv.reader([words[position + 1]])) for position, word in enumerate(words) if word == "--mount"
    ]
    assert [
        "type=bind",
        f"source=/home/runner/work/shop/{daily.config}",
        "target=/etc/rfm/rfm.toml",
        "readonly",
    ] in mounts


def test_the_workflows_shell_passes_shellcheck() -> None:
    for step in workflow(container_schedule(config="rfm.toml"))["jobs"]["run"]["steps"][1:]:
        done = subprocess.run(
            [TOOLS / "shellcheck", "--shell=bash", "--severity=warning", "-"],
            input=evaluated(step["run"]), capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "")


# Airflow


class Recorded:
    """Replacement of an Airflow class that records the arguments of its constructor."""

    made: list[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        cls.made = []

    def __init__(self, *_: Any, **values: Any) -> None:
        self.made.append(values)

    def __enter__(self) -> None:
        """Enter the DAG."""

    def __exit__(self, *_: object) -> None:
        """Leave the DAG."""


def executed(text: str, monkeypatch: pytest.MonkeyPatch, task: str = "Container") -> dict[str, Any]:
    """Execute the file of a DAG with recording replacements of Airflow's modules.

    Args:
        text: The file.
        monkeypatch: Fixture of pytest.
        task: Name of the operator's class in the file.
    """

    class Dag(Recorded):
        pass

    class Operator(Recorded):
        template_fields = ("command", "environment")

    class Mount(dict[str, Any]):
        pass

    names: dict[str, dict[str, Any]] = {
        "pendulum": {"datetime": lambda *day, tz: (*day, tz)},
        "airflow.sdk": {"DAG": Dag},
        "airflow.providers.docker.operators.docker": {"DockerOperator": Operator},
        "airflow.providers.cncf.kubernetes.operators.pod": {"KubernetesPodOperator": Operator},
        "airflow.providers.google.cloud.operators.cloud_run": {"CloudRunExecuteJobOperator": Operator},
        "docker.types": {"Mount": Mount},
    }
    for name, values in names.items():
        for depth in range(1, name.count(".") + 1):
            package = ".".join(name.split(".")[:depth])
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        module = types.ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    result: dict[str, Any] = {}
    exec(compile(text, "dag.py", "exec"), result)  # noqa: S102 - text of this package
    assert result[task].template_fields == ()
    return {"dag": Dag.made[0], **result[task].made[0]}


def test_the_dag_starts_the_container_with_unchanged_values(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = container_schedule(config=str(config), folder='/srv/it\'s a "shop"/50%', timeout=90)
    (file,) = render("airflow", daily).files
    assert file.name == "rfm_daily.py"
    result = executed(file.text, monkeypatch)
    assert result["dag"]["schedule"] == "30 3 * * *"
    assert result["dag"]["start_date"] == (2026, 1, 2, "Europe/London")
    assert (result["dag"]["catchup"], result["dag"]["max_active_runs"]) == (False, 1)
    assert result["execution_timeout"] == timedelta(minutes=90)
    assert (result["retries"], result["retry_delay"]) == (2, timedelta(minutes=5))
    assert result["dag"]["dagrun_timeout"] == timedelta(minutes=3 * 90 + 2 * 5)
    assert tuple(result["command"]) == ARGUMENTS
    assert result["environment"] == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert [(mount["source"], mount["target"]) for mount in result["mounts"]] == [
        (daily.folder, "/data"),
        (str(config), "/etc/rfm/rfm.toml"),
        ("BIGQUERY_KEY", PLACE),
    ]


def test_a_pod_of_composer_is_that_of_the_cron_job(monkeypatch: pytest.MonkeyPatch) -> None:
    daily = on_kubernetes(operator="kubernetes", identity=Identity(GOOGLE_ACCOUNT))
    rendered = render("airflow", daily)
    result = executed(rendered.files[0].text, monkeypatch, "Pod")
    pod = result["pod_template_dict"]
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    (container,) = pod["spec"]["containers"]
    assert result["base_container_name"] == container["name"]
    assert tuple(map(expanded, container["args"])) == ARGUMENTS
    assert {variable["name"]: expanded(variable["value"]) for variable in container["env"]} == GIVEN
    assert pod["spec"]["volumes"][0] == {"name": "data", "emptyDir": {}}
    assert result["namespace"] == "composer-user-workloads"
    assert result["config_file"] == "/home/airflow/composer_kube_config"
    assert any("[composer-user-workloads/rfm-daily]" in line for line in rendered.next_commands)
    elsewhere = render("airflow", on_kubernetes(operator="kubernetes", namespace="jobs")).files[0].text
    assert executed(elsewhere, monkeypatch, "Pod")["config_file"] is None


def test_a_cloud_run_job_is_repeated_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render("airflow", container_schedule(operator="cloud-run", timeout=90))
    result = executed(rendered.files[0].text, monkeypatch, "Job")
    place = (result["project_id"], result["region"], result["job_name"])
    assert place == ("my-project", "europe-west1", "rfm-daily")
    assert result["retries"] == 0
    assert result["execution_timeout"] == timedelta(minutes=3 * 90 + 2 * 5)
    assert rendered.next_commands[0].startswith("gcloud scheduler jobs pause rfm-daily --project my-project")
    with pytest.raises(UsageError, match="a project, a region"):
        render("airflow", container_schedule(operator="cloud-run", cloud=None))


@pytest.mark.parametrize("operator", ["docker", "kubernetes", "cloud-run"])
def test_values_of_a_schedule_are_never_code_in_its_dag(operator: str) -> None:
    plain, awkward = (
        ast.parse(render("airflow", daily).files[0].text)
        for daily in (
            on_kubernetes(environment={}, arguments=("run",), operator=operator),
            on_kubernetes(folder='x"""\\', name="x", operator=operator),
        )
    )
    others = [
        [ast.dump(node) for node in tree.body if not isinstance(node, ast.Assign)]
        for tree in (plain, awkward)
    ]
    assert others[0] == others[1]
