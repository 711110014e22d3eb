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
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import TARGETS, Schedule, render
from rfm_pipeline.schedule.spec import USER_ID, Secret
from support.awkward_commands import ARGUMENTS, TOOLS, VALUES, contained, schedule
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
def test_they_need_an_image(target: str) -> None:
    with pytest.raises(UsageError) as error:
        render(target, schedule(cloud=contained().cloud))
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
def test_a_secret_is_nowhere_but_where_it_is_kept(target: str, value: str) -> None:
    for values in (
        {"environment": {"CREDENTIALS": value}},
        {"arguments": ("run", value)},
        {"secrets": (Secret("CREDENTIALS", value),)},
        {"secrets": (Secret("CREDENTIALS", f"/srv/shop/{value}"),)},
        {"environment": {value: "x"}},
        {"folder": f"/srv/{value}"},
    ):
        with pytest.raises(UsageError, match="looks like a secret") as error:
            render(target, contained(**values))
        assert "hunter2" not in f"{error.value} {error.value.hint}".casefold()


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "TOKEN", "RFM_TOKEN", "client_secret", "AWS_SECRET_ACCESS_KEY", "API_KEY"]
)
def test_the_value_of_a_variable_that_is_called_a_secret_is_none_for_a_schedule(name: str) -> None:
    with pytest.raises(UsageError, match=f"The value of {name} is a secret") as error:
        schedule(environment={name: "hunter2"})
    assert "hunter2" not in f"{error.value} {error.value.hint}"
    assert schedule(secrets=(Secret(name, "/srv/keys/key"),)).variables == (name,)


# Kubernetes


def on_kubernetes(**values: Any) -> Schedule:
    """One with a secret of a name that Kubernetes allows."""
    return contained(
        **{"secrets": (Secret("GOOGLE_APPLICATION_CREDENTIALS", "rfm-bigquery/key.json"),), **values}
    )


def objects(of: Schedule) -> dict[str, dict[str, Any]]:
    (file,) = render("kubernetes", of).files
    return {document["kind"]: document for document in yaml.safe_load_all(file.text)}


def expanded(text: str) -> str:
    """What Kubernetes makes of a value: `$$` is a dollar sign, and `$(NAME)` would be a variable."""
    assert not re.search(r"(?<!\$)(\$\$)*\$\(", text)
    return text.replace("$$", "$")


def test_the_objects_fit_the_schema_of_the_api(config: Path) -> None:
    found = objects(on_kubernetes(config=str(config)))
    assert set(found) == {"PersistentVolumeClaim", "ConfigMap", "CronJob"}
    for document in found.values():
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_schema_would_see_a_setting_that_is_none() -> None:
    job = objects(on_kubernetes())["CronJob"]
    job["spec"]["timezone"] = "UTC"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_a_cron_job_starts_at_the_time_and_never_beside_itself() -> None:
    spec = objects(on_kubernetes(timeout=90))["CronJob"]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 3 * * *", "Europe/London")
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 23 * 3600
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 5400
    assert objects(on_kubernetes(missed="skip"))["CronJob"]["spec"]["startingDeadlineSeconds"] == 300
    assert objects(on_kubernetes(timezone=None))["CronJob"]["spec"]["timeZone"] == "Etc/UTC"


def test_a_pod_has_no_rights_and_the_users_number_is_the_images() -> None:
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


def test_awkward_values_read_back_from_the_cron_job(config: Path) -> None:
    of = on_kubernetes(config=str(config))
    found = objects(of)
    pod = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert tuple(map(expanded, container["args"])) == ARGUMENTS
    given = {variable["name"]: expanded(variable["value"]) for variable in container["env"]}
    assert given == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert found["ConfigMap"]["data"] == {"rfm.toml": config.read_text(encoding="utf-8")}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["secret-1"]["secret"]["secretName"] == "rfm-bigquery"
    assert volumes["secret-1"]["secret"]["items"] == [{"key": "key.json", "path": "secret.json"}]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places == {"data": "/data", "config": "/etc/rfm/rfm.toml", "secret-1": PLACE.rpartition("/")[0]}


def test_a_configuration_file_with_a_mistake_is_not_sent_into_the_night(tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text("source = orders.csv", encoding="utf-8")
    for name, sentence in (("rfm.toml", "is not valid TOML"), ("none.toml", "does not exist")):
        with pytest.raises(UsageError, match=sentence):
            render("kubernetes", on_kubernetes(config=str(tmp_path / name)))


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_what_only_yaml_takes_for_the_end_of_a_line_is_none(character: str, tmp_path: Path) -> None:
    path = tmp_path / "rfm.toml"
    path.write_bytes(f"source = 'orders.csv'\n# a{character}b\n\n".encode())
    found = objects(on_kubernetes(config=str(path)))
    assert found["ConfigMap"]["data"]["rfm.toml"].encode() == path.read_bytes()
    with pytest.raises(UsageError, match="The value of RFM_TO contains the character"):
        schedule(environment={"RFM_TO": f"a{character}b"})


def test_a_key_in_a_configuration_file_does_not_get_into_a_config_map(tmp_path: Path) -> None:
    path = tmp_path / "rfm.toml"
    for line in ('x = """\n-----BEGIN PRIVATE KEY-----\nhunter2"""', 'private_key = "hunter2"'):
        path.write_text(f"source = 'orders.csv'\n{line}\n", encoding="utf-8")
        with pytest.raises(UsageError, match="looks like a secret") as error:
            render("kubernetes", on_kubernetes(config=str(path)))
        assert "hunter2" not in f"{error.value} {error.value.hint}"


def test_a_reference_that_names_no_secret_is_an_error() -> None:
    for reference in ("BIGQUERY_KEY", "not/a/name", "/key", "a b"):
        with pytest.raises(UsageError, match="is not the name of a Kubernetes Secret") as error:
            render("kubernetes", on_kubernetes(secrets=(Secret("KEY", reference),)))
        assert reference not in str(error.value)
    with pytest.raises(UsageError, match="is not the name of a GitHub secret"):
        render("github-actions", contained(secrets=(Secret("KEY", "my-key"),)))


# Cloud Run


def test_the_cloud_run_job_has_every_value_as_it_was(config: Path) -> None:
    job, _ = render("cloud-run", contained(config=str(config), timeout=90)).files
    document = yaml.safe_load(job.text)
    assert (document["apiVersion"], document["kind"]) == ("run.googleapis.com/v1", "Job")
    task = document["spec"]["template"]["spec"]["template"]["spec"]
    (container,) = task["containers"]
    assert (task["timeoutSeconds"], task["maxRetries"]) == (5400, 0)
    assert task["serviceAccountName"] == "rfm@my-project.iam.gserviceaccount.com"
    assert tuple(container["args"]) == ARGUMENTS
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert given == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert {volume["secret"]["secretName"] for volume in task["volumes"]} == {
        "rfm-daily-config",
        "BIGQUERY_KEY",
    }
    assert len(task["volumes"]) == len(container["volumeMounts"])


def test_the_lines_of_gcloud_make_the_job_and_start_it_every_day(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    job, script = render("cloud-run", contained(config=config.name)).files
    done = subprocess.run(
        [TOOLS / "shellcheck", "-"], input=script.text, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    # In the place of gcloud one that knows what it has made.
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
    for file in (job, script):
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
        ["secrets", "create", "rfm-daily-config"], *always, ["scheduler", "jobs", "create"],
        ["secrets", "versions", "add"], *always, ["scheduler", "jobs", "update"],
    ]  # fmt: skip
    assert lines[0][-1] == lines[6][-1] == str(config)
    assert lines[5][4:] == lines[11][4:]
    trigger = dict(zip(lines[-1][5::2], lines[-1][6::2], strict=True))
    assert trigger["--schedule"] == "30 3 * * *"
    assert trigger["--time-zone"] == "Europe/London"
    assert trigger["--uri"].endswith("/v2/projects/my-project/locations/europe-west1/jobs/rfm-daily:run")


def test_cloud_run_says_what_it_does_not_do() -> None:
    with pytest.raises(UsageError, match="a project, a region"):
        render("cloud-run", contained(cloud=None))
    assert any("publish to bigquery" in note for note in render("cloud-run", contained()).notes)
    to = contained(environment={"RFM_TO": "bigquery://p.d"})
    assert not any("publish to bigquery" in note for note in render("cloud-run", to).notes)


# GitHub Actions


def workflow(of: Schedule) -> dict[str, Any]:
    (file,) = render("github-actions", of).files
    document: dict[str, Any] = yaml.safe_load(file.text)
    return document


def evaluated(text: str) -> str:
    """What Actions makes of a value: the only expressions in it are texts in quotes."""
    parts = re.split(r"\$\{\{ '(\$\{\{)' \}\}", text)
    assert not any("${{" in part for part in parts[::2])
    return "".join(parts)


def test_the_workflow_starts_at_the_time_with_no_rights_and_never_beside_itself() -> None:
    found = workflow(contained(timeout=90))
    assert found["on"]["schedule"] == [{"cron": "30 3 * * *", "timezone": "Europe/London"}]
    assert found["permissions"] == {}
    assert found["concurrency"] == {"group": "rfm-daily", "cancel-in-progress": False}
    assert found["jobs"]["run"]["timeout-minutes"] == 90
    assert found["jobs"]["run"]["permissions"] == {"contents": "read"}
    assert workflow(contained(timezone=None))["on"]["schedule"] == [{"cron": "30 3 * * *"}]


def test_it_checks_out_with_what_this_projects_own_workflows_do() -> None:
    own = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    first = workflow(contained())["jobs"]["run"]["steps"][0]
    assert f"uses: {first['uses']} #" in own


def test_awkward_values_come_through_the_workflows_shell(tmp_path: Path) -> None:
    of = contained(config='conf, "50%" $x/é.toml')
    *_, secrets, run = workflow(of)["jobs"]["run"]["steps"]
    assert secrets["env"] == {"GOOGLE_APPLICATION_CREDENTIALS": "${{ secrets.BIGQUERY_KEY }}"}
    # In the place of docker something that tells what it was given.
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
    given = {name: evaluated(value) for name, value in run["env"].items()}
    done = subprocess.run(
        [*bash, evaluated(run["run"])],
        env=environment | given,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    words = done.stdout.split("\0")
    assert "--init" in words
    assert tuple(words[-len(ARGUMENTS) :]) == ARGUMENTS
    passed = [words[position + 1] for position, word in enumerate(words) if word == "--env"]
    assert {name: given[name] for name in passed} == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    mounts = [
        next(csv.reader([words[position + 1]])) for position, word in enumerate(words) if word == "--mount"
    ]
    assert [
        "type=bind",
        f"source=/home/runner/work/shop/{of.config}",
        "target=/etc/rfm/rfm.toml",
        "readonly",
    ] in mounts


def test_the_workflows_shell_passes_shellcheck() -> None:
    for step in workflow(contained(config="rfm.toml"))["jobs"]["run"]["steps"][1:]:
        done = subprocess.run(
            [TOOLS / "shellcheck", "--shell=bash", "--severity=warning", "-"],
            input=evaluated(step["run"]), capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "")


# Airflow


class Recorded:
    """In the place of a class of Airflow's: keeps what it was made with."""

    made: list[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        cls.made = []

    def __init__(self, *_: Any, **values: Any) -> None:
        self.made.append(values)

    def __enter__(self) -> None:
        """A DAG is entered."""

    def __exit__(self, *_: object) -> None:
        """And left."""


def executed(text: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs the file of a DAG, with modules that record in the place of Airflow's."""

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
        "docker.types": {"Mount": Mount},
    }
    for name, values in names.items():
        for depth in range(1, name.count(".") + 1):
            package = ".".join(name.split(".")[:depth])
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        module = types.ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    found: dict[str, Any] = {}
    exec(compile(text, "dag.py", "exec"), found)  # noqa: S102 - our own
    assert found["Container"].template_fields == ()
    return {"dag": Dag.made[0], **found["Container"].made[0]}


def test_the_dag_starts_the_container_with_every_value_as_it_was(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = contained(config=str(config), folder='/srv/it\'s a "shop"/50%', timeout=90)
    (file,) = render("airflow", of).files
    assert file.name == "rfm_daily.py"
    found = executed(file.text, monkeypatch)
    assert found["dag"]["schedule"] == "30 3 * * *"
    assert found["dag"]["start_date"] == (2026, 1, 2, "Europe/London")
    assert (found["dag"]["catchup"], found["dag"]["max_active_runs"]) == (False, 1)
    assert found["execution_timeout"] == timedelta(minutes=90)
    assert tuple(found["command"]) == ARGUMENTS
    assert found["environment"] == GIVEN | {"RFM_CONFIG": "/etc/rfm/rfm.toml"}
    assert [(mount["source"], mount["target"]) for mount in found["mounts"]] == [
        (of.folder, "/data"),
        (str(config), "/etc/rfm/rfm.toml"),
        ("BIGQUERY_KEY", PLACE),
    ]


def test_nothing_of_a_schedule_is_code_in_its_dag() -> None:
    plain, awkward = (
        ast.parse(render("airflow", of).files[0].text)
        for of in (contained(environment={}, arguments=()), contained(folder='x"""\\', name="x"))
    )
    others = [
        [ast.dump(node) for node in tree.body if not isinstance(node, ast.Assign)]
        for tree in (plain, awkward)
    ]
    assert others[0] == others[1]
