"""The container image, built from the Dockerfile and run without a network and with a read-only root."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from support.bigquery_shop import Shop
from support.container_image import (
    USER,
    Image,
    build,
    podman,
    run_process,
    skip_without_podman,
    start_process,
)
from support.orders import EXPECTED_ROWS, ORDERS, published
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("container")

MARKER = "MIIEvQIBADANBg-not-a-key-but-looks-like-one"
# Files in the build folder that must not get into the image.
STRAY_FILES = {
    "credentials.json": f'{{"type": "service_account", "private_key": "{MARKER}"}}',
    ".env": f"TOKEN={MARKER}\n",
    "production.env": f"TOKEN={MARKER}\n",
    "rfm.toml": f"source = 'bigquery://{MARKER}'\n",
    "orders.csv": f"customer_id\n{MARKER}\n",
    ".git/config": f"[remote]\nurl = https://{MARKER}@example.com\n",
    "src/credentials.json": MARKER,
    "src/rfm_pipeline/my-credentials.json": MARKER,
    "src/rfm_pipeline/service-account-key.json": MARKER,
    "src/rfm_pipeline/.env": MARKER,
    "src/rfm_pipeline/key.pem": MARKER,
    "src/rfm_pipeline/shop.duckdb": MARKER,
}
# These names are unlikely to be in a list of excluded files.
STRAY_FILES |= {
    f"src/rfm_pipeline/{name}": MARKER
    for name in (
        "shop-prod-1a2b3c.json", "gcp-key.json", "adc.json", "client_secret_123.json", "Credentials.JSON",
        "key.PEM", "credentials.toml", "app.jks", ".netrc", "id_rsa", "prod.env.bak", "rfm.toml",
        "orders.csv", "lines.parquet", "notes.txt", "py.typed.bak", "presets/rfm.toml", "presets/shop.json",
        "presets/.shop.toml", "demo/orders.csv", "sql/dump.sql",
        "schedule/targets/templates/key.json",
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of a folder with all that the build reads, and with `STRAY_FILES`."""
    skip_without_podman()
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in STRAY_FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    # The tag contains the process id, so that concurrent test runs do not remove each other's image.
    tag = f"localhost/rfm-pipeline-test-{os.getpid()}"
    build(folder, tag)
    yield Image(tag)
    podman("rmi", "--force", tag)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Return a folder that the image's user may write to."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def mount_options(volume: Path) -> tuple[str, str]:
    return "-v", f"{volume}:/data"


def write_readable(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


# Contents and configuration of the image


def test_hadolint_reports_nothing() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = run_process([hadolint, ROOT / "Dockerfile"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.guarantee("image")
def test_the_image_runs_rfm_as_an_unprivileged_user(image: Image) -> None:
    config = image.config
    assert config["User"] == f"{USER}:{USER}"
    assert (config["Entrypoint"], config["Cmd"]) == (["rfm"], ["run"])
    assert (config["WorkingDir"], list(config["Volumes"])) == ("/data", ["/data"])
    assert config["StopSignal"] in ("SIGTERM", "15")
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "rfm-pipeline"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.base.name"].startswith("docker.io/library/python:3.")
    own_labels = {name: value for name, value in labels.items() if name.startswith("org.opencontainers.")}
    assert all(own_labels.values()), own_labels


def test_the_image_contains_no_build_or_install_tools(image: Image) -> None:
    tools = "gcc cc g++ ld make git uv curl wget"
    found = image.shell(f"for tool in {tools}; do command -v $tool; done; ls /build /root/.cache 2>/dev/null")
    assert found.stdout == ""
    pip = image.run("-c", "import pip", options=("--entrypoint", "python"))
    assert "No module named 'pip'" in pip.stderr


def test_the_image_has_about_the_documented_size(image: Image) -> None:
    page = (ROOT / "docs" / "guides" / "scheduling.md").read_text(encoding="utf-8")
    documented = re.search(r"adds (\d+) MB to the base image", page)
    assert documented
    found = int(image.shell("du -sm /opt/rfm").stdout.split()[0])
    assert abs(found - int(documented[1])) <= 0.15 * int(documented[1])


@pytest.mark.guarantee("image")
def test_only_the_volume_is_writable(image: Image) -> None:
    folders = "/ /opt /opt/rfm /opt/rfm/bin /usr /etc /home"
    found = image.shell(
        f"id -u; for folder in {folders}; do touch $folder/x 2>/dev/null && echo $folder; done; touch x"
    )
    assert (found.stdout, found.returncode) == (f"{USER}\n", 0)


SHIPPED = (
    ".py", ".toml", ".sql", ".typed", ".css", ".html", ".js",
    ".crontab", ".service", ".sh", ".template", ".timer", ".xml", ".yaml",
)  # fmt: skip


def test_no_layer_contains_stray_files(image: Image, tmp_path: Path) -> None:
    saved = tmp_path / "image.tar"
    done = podman("save", "--output", saved, image.tag, seconds=300)
    assert done.returncode == 0, done.stderr
    shipped = set()
    for name, content in files_of_image(saved):
        assert MARKER.encode() not in content, name
        assert not f"/{name}".endswith(tuple(f"/{stray}" for stray in STRAY_FILES)), name
        _, package, path = name.partition("site-packages/rfm_pipeline/")
        if package and path.endswith(SHIPPED):
            shipped.add(path)
    sources = ROOT / "src" / "rfm_pipeline"
    assert shipped == {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def files_of_image(saved: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in each layer of a saved image, and of its metadata files."""
    with tarfile.open(saved) as image:
        for layer in image:
            file = image.extractfile(layer)
            if file is None:
                continue
            content = file.read()
            if not layer.name.endswith(".tar"):
                yield layer.name, content
                continue
            with tarfile.open(fileobj=io.BytesIO(content)) as inner:
                for member in inner:
                    found = inner.extractfile(member) if member.isfile() else None
                    yield member.name, found.read() if found else b""


# Runs of the image


def test_without_configuration_the_error_names_the_missing_source_and_the_demo(image: Image) -> None:
    done = image.run()
    assert (done.returncode, done.stdout) == (2, "")
    sentence, hint = done.stderr.splitlines()
    assert sentence == "error: There is no source to read."
    assert "-e RFM_SOURCE=bigquery://" in hint
    assert "-e RFM_TO=bigquery://" in hint
    assert '-v "$PWD/credentials.json:' in hint
    assert "`demo`" in hint


def test_a_key_of_another_user_is_an_error_that_names_the_uid(image: Image, tmp_path: Path) -> None:
    key = tmp_path / "credentials.json"
    key.write_text(MARKER, encoding="utf-8")
    key.chmod(0o400)
    mounted = "/run/secrets/credentials.json"
    environment = {
        "RFM_SOURCE": "bigquery://a.b.c",
        "RFM_TO": "bigquery://a.b",
        "GOOGLE_APPLICATION_CREDENTIALS": mounted,
    }
    done = image.run(options=("-v", f"{key}:{mounted}:ro"), environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    sentence, hint = done.stderr.splitlines()
    assert f"The user with UID {USER} has no permission to read the key {mounted}" in sentence
    assert "belongs to UID 0 and has mode 400" in sentence
    assert f"sudo chown {USER} credentials.json" in hint


def test_the_demo_runs_offline_with_nothing_mounted(image: Image) -> None:
    done = image.run("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Published duckdb:demo.duckdb#rfm_segments" in done.stdout


def test_a_real_data_set_is_segmented_in_1_gib(image: Image, volume: Path, online_retail: Path) -> None:
    source = volume / "online_retail.parquet"
    shutil.copy(online_retail, source)
    source.chmod(0o644)
    done = image.run(
        "run", "/in/lines.parquet", options=(*mount_options(volume), "-v", f"{source}:/in/lines.parquet:ro")
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = volume / "rfm.duckdb"
    assert published(result, "SELECT count(*), sum(monetary)::DECIMAL(38, 2)::VARCHAR FROM rfm_segments") == [
        (4338, "8911407.90")
    ]
    assert result.stat().st_uid == USER


def test_a_mounted_file_is_sufficient_configuration(image: Image, volume: Path, tmp_path: Path) -> None:
    write_readable(volume / "orders.csv", ORDERS)
    config = write_readable(tmp_path / "rfm.toml", "source = 'orders.csv'\nto = 'duckdb:shop.duckdb'\n")
    done = image.run(options=(*mount_options(volume), "-v", f"{config}:/data/rfm.toml:ro"))
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[:4] for row in published(volume / "shop.duckdb")] == [row[:4] for row in EXPECTED_ROWS]


def test_environment_variables_are_sufficient_configuration(image: Image, volume: Path) -> None:
    write_readable(volume / "orders.csv", ORDERS)
    variables = {"RFM_SOURCE": "orders.csv", "RFM_TO": "duckdb:shop.duckdb", "RFM_SCORING__BINS": "3"}
    done = image.run(options=mount_options(volume), environment=variables | {"RFM_PRESET": "klaviyo"})
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[:4] for row in published(volume / "shop.duckdb")] == [row[:4] for row in EXPECTED_ROWS]


def test_the_image_runs_on_bigquery_with_environment_variables_only(
    image: Image, volume: Path, bigquery_shop: Shop
) -> None:
    source = bigquery_shop.create_table()
    environment = {
        "BIGQUERY_EMULATOR_HOST": bigquery_shop.address,
        "RFM_SOURCE": source,
        "RFM_TO": bigquery_shop.destination,
    }
    # The emulator listens on the loopback interface of the host.
    done = image.run("run", options=mount_options(volume), environment=environment, network="host")
    assert done.returncode == 0, done.stderr
    assert f"Published {bigquery_shop.destination}.rfm_segments" in done.stdout
    assert len(bigquery_shop.published_rows()) == len(EXPECTED_ROWS)
    assert bigquery_shop.tables() == ["orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]


@pytest.mark.guarantee("image")
@pytest.mark.parametrize(
    ("code", "orders", "variables"),
    [
        (2, ORDERS, {"RFM_SCORING__BINS": "eleven"}),
        (3, ORDERS, {"RFM_AS_OF": "2001-01-01"}),
        (4, ORDERS, {"RFM_DUCKDB__TEMP_DIRECTORY": "/proc"}),
    ],
)
def test_the_container_exits_with_the_exit_code_of_the_run(
    code: int, orders: str, variables: dict[str, str], image: Image, volume: Path
) -> None:
    write_readable(volume / "orders.csv", orders)
    done = image.run("run", "orders.csv", options=mount_options(volume), environment=variables)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert not (volume / "rfm.duckdb").exists()


@pytest.mark.guarantee("image")
def test_a_container_that_receives_sigterm_stops_and_publishes_nothing(image: Image, volume: Path) -> None:
    lines = volume / "lines.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT i * 7919 % 2000000 AS customer_id, i AS order_id, (i % 100) / 4 AS amount,"
            " DATE '2024-01-01' + (i % 700)::INTEGER AS order_date FROM range(20_000_000) AS lines(i))"
            f" TO '{lines}' (FORMAT parquet)"
        )
    lines.chmod(0o644)
    name = f"rfm-stopped-{os.getpid()}"
    command = image.command("run", "lines.parquet", options=(*mount_options(volume), "--name", name))
    with start_process(command) as running:
        try:
            # The run has created its spill folder, so DuckDB is executing.
            wait_for(lambda: list(volume.glob("rfm-*")))
            assert podman("kill", "--signal", "TERM", name).returncode == 0
            _, stderr = running.communicate(timeout=60)
        finally:
            podman("rm", "--force", "--ignore", name)
    assert (running.returncode, stderr) == (130, "error: Stopped; nothing was published.\n")
    assert [path.name for path in volume.iterdir()] == ["lines.parquet"]


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.02)


# Compose

AT_ONCE = """
import rfm_pipeline.schedule.wait
rfm_pipeline.schedule.wait.wait_until = lambda moment: None
from rfm_pipeline.cli import main
main()
"""
"""Runs `rfm` with a wait that ends at once."""


def test_the_compose_file_hardens_the_container_like_the_tests(image: Image) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert set(services) == {"bigquery", "rfm", "daily"}
    assert services["bigquery"]["environment"].keys() == {
        "GOOGLE_APPLICATION_CREDENTIALS",
        "RFM_SOURCE",
        "RFM_TO",
    }
    (key,) = (volume for volume in services["bigquery"]["volumes"] if isinstance(volume, dict))
    assert key["target"] == services["bigquery"]["environment"]["GOOGLE_APPLICATION_CREDENTIALS"]
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "rfm-data:/data" in service["volumes"]
    assert services["daily"]["restart"] == "always"
    command = services["daily"]["command"]
    assert command[:2] == ["schedule", "wait"]
    # The command waits and then becomes the run: messages and exit code are those of the run.
    words = [word.replace("${TIMEZONE:-UTC}", "UTC").replace("${AT:-05:30}", "05:30") for word in command]
    done = image.run("-c", AT_ONCE, *words, options=("--entrypoint", "python"))
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first.startswith("Waiting until ")
    assert rest[0] == "error: There is no source to read."
