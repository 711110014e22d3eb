"""Grammar of schedules: every target, with values that each scheduler would have to escape."""

from __future__ import annotations

from hypothesis import strategies as st

from support.fuzz import Input
from support.fuzz_values import argument, numbers

# Not `wait`, which waits; nothing is installed or removed.
TARGETS = (
    "cron",
    "systemd",
    "windows",
    "kubernetes",
    "cloud-run",
    "github-actions",
    "airflow",
    "x",
    "CRON",
    "",
)
TIMES = (
    "05:30",
    "00:00",
    "23:59",
    "24:00",
    "5:30",
    "5",
    "05:30:00",
    "-1:00",
    "25:61",
    "noon",
    "\u0660\u0665:\u0663\u0660",
    "05.30",
)
ZONES = (
    "UTC",
    "Europe/London",
    "America/New_York",
    "Mars/Base",
    "../x",
    "europe/london",
    "Etc/GMT+5",
    "Asia/Kathmandu",
    "EST5EDT",
)
FLAGS = (
    "--at", "--timezone", "--overlap", "--missed", "--timeout", "--name", "--image", "--program", "--folder",
    "--config", "--env", "--secret",
    "--project", "--region", "--service-account", "--workload-identity-provider", "--pull-secret",
    "--namespace", "--retries", "--operator", "--build",
)  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Draw a schedule that is printed or written into a folder."""
    flags: list[str] = []
    for name in draw(st.lists(st.sampled_from(FLAGS), max_size=5, unique=True)):
        texts = {
            "--at": st.sampled_from(TIMES),
            "--timezone": st.sampled_from(ZONES),
            "--operator": st.sampled_from(["docker", "kubernetes", "cloud-run", "x"]),
            "--retries": st.one_of(st.integers(-1, 12).map(str), numbers),
            "--timeout": st.one_of(st.integers(-1, 2000).map(str), numbers),
            "--env": argument.map(lambda text: f"RFM_SOURCE={text}"),
            "--secret": argument.map(lambda text: f"RFM_KEY={text}"),
            "--overlap": st.sampled_from(["skip", "wait", "x"]),
            "--missed": st.sampled_from(["skip", "catch-up", "x"]),
            "--image": st.sampled_from(["registry.example/rfm:1", "rfm", "a b", "x@sha256:" + "0" * 64]),
        }.get(name, argument)
        flags += [name, draw(st.one_of(texts, texts, argument))]
    if draw(st.integers(0, 5)) == 0:
        flags += ["--write", draw(st.sampled_from(["out", "out/deeper", ".", "orders.csv"]))]
    if draw(st.integers(0, 5)) == 0:
        flags += ["--system"]
    if draw(st.integers(0, 3)) == 0:
        flags += ["--json"]
    if draw(st.integers(0, 3)) == 0:
        flags += [
            "--",
            *draw(
                st.lists(
                    st.one_of(st.sampled_from(["run", "check", "orders.csv", "--bins", "5"]), argument),
                    max_size=3,
                )
            ),
        ]
    return Input(
        ("schedule", draw(st.sampled_from(TARGETS)), *flags),
        {},
        {},
        ("out", "rfm") if "--write" in flags else (),
    )
