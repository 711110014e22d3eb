"""DAGs against Airflow itself, which is installed into an environment of its own in `build/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rfm_pipeline.schedule import render
from rfm_pipeline.schedule.spec import Identity, Secret
from support.awkward_commands import ARGUMENTS, container_schedule
from support.paths import ROOT

pytestmark = pytest.mark.long
FOLDER = ROOT / "build" / "airflow-3"
PACKAGES = (
    "apache-airflow>=3,<4",
    "apache-airflow-providers-docker",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-google",
)
# Prints the task of each DAG as Airflow reads it, and the pod that it would create.
READ = """
import gc, json, runpy, sys
from airflow.serialization.serialized_objects import DagSerialization
for path in sys.argv[1:]:
    names = runpy.run_path(path)
    operator = next(names[name] for name in ("Container", "Pod", "Job") if name in names)
    task = next(each for each in gc.get_objects() if type(each) is operator)
    DagSerialization.to_dict(task.dag)
    pod = task.build_pod_request_obj(None).to_dict() if operator.__name__ == "Pod" else None
    print(json.dumps([task.dag.dag_id, task.retries, pod], default=str))
"""
CLUSTER = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment with Airflow and the providers of the three operators."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    python = FOLDER / "bin" / "python"
    if not (FOLDER / "ready").exists():
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", str(FOLDER)], check=True)
        command = [uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES]
        if subprocess.run(command, check=False).returncode:
            pytest.skip("Airflow can't be installed")
        (FOLDER / "ready").touch()
    return python


def test_airflow_reads_each_dag_and_builds_the_pod(python: Path, tmp_path: Path) -> None:
    paths = []
    for operator in ("docker", "kubernetes", "cloud-run"):
        daily = container_schedule(
            name=f"rfm-{operator}",
            operator=operator,
            namespace="jobs",
            identity=Identity("rfm@shop.iam.gserviceaccount.com"),
            secrets=(Secret("GOOGLE_APPLICATION_CREDENTIALS", "rfm-bigquery"),),
        )
        (file,) = render("airflow", daily).files
        paths.append(tmp_path / file.name)
        paths[-1].write_bytes(file.encoded())
    (tmp_path / "cluster").write_text(CLUSTER, encoding="utf-8")
    done = subprocess.run(
        [python, "-c", READ, *paths],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps({"conn_type": "kubernetes"}),
            "KUBECONFIG": str(tmp_path / "cluster"),
        },
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["rfm-')]
    assert [line[:2] for line in lines] == [["rfm-docker", 2], ["rfm-kubernetes", 2], ["rfm-cloud-run", 0]]
    pod = lines[1][2]
    (container,) = pod["spec"]["containers"]
    assert [argument.replace("$$", "$") for argument in container["args"]] == list(ARGUMENTS)
    assert pod["metadata"]["namespace"] == "jobs"
    assert pod["spec"]["service_account_name"] == "rfm-kubernetes"
    assert pod["spec"]["automount_service_account_token"] is False
