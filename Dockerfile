# Built with `docker build -t rfm-pipeline .`, run with `docker run --rm --init rfm-pipeline demo`.
#
# The base image has a version tag. To pin its digest too, pass --build-arg PYTHON_DIGEST=@sha256:...; the workflow that
# publishes images does so.
ARG PYTHON_VERSION=3.13
ARG PYTHON_DIGEST=""

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST} AS build
ARG UV_VERSION=0.13.9
RUN python -m pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
# Bytecode is compiled here, because the root file system may be read-only at run time.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    UV_PROJECT_ENVIRONMENT=/opt/rfm \
    UV_PYTHON=/usr/local/bin/python \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# Dependencies first, so that this layer is cached while only the package's code changes. The extras `report` (charts as
# PNG) and `evaluate` (scipy) are left out, since each is as large as everything else; `--build-arg OMIT=` keeps them.
ARG OMIT="--no-extra report --no-extra evaluate"
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev --all-extras ${OMIT} --no-install-project
COPY README.md LICENSE ./
COPY src src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev --all-extras ${OMIT} --no-editable

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST}
# A run needs no installers.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip setuptools wheel \
 && groupadd --gid 10001 rfm \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin rfm \
 && install --directory --owner 10001 --group 10001 --mode 0755 /data
COPY --from=build /opt/rfm /opt/rfm
# DuckDB spills to the volume, not to /tmp, which may be in memory. Hints name the options of `docker run` where
# CONTAINER_IMAGE is set.
ENV CONTAINER_IMAGE=rfm-pipeline \
    PATH=/opt/rfm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/data
WORKDIR /data
# Results and spilled data; nothing else is written, so the rest of the file system can be read-only.
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["rfm"]
CMD ["run"]

# Further labels (version, revision, digest of the base) are passed to the build with --label.
ARG PYTHON_VERSION
LABEL org.opencontainers.image.title="rfm-pipeline" \
      org.opencontainers.image.description="Recency, frequency and monetary value for every customer, scored and segmented." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:${PYTHON_VERSION}-slim-bookworm"
