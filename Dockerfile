# Built with `docker build -t rfm-pipeline .`, run with `docker run --rm --init rfm-pipeline demo`.
#
# The base image is named by its version. To pin it by digest too, look the digest up where images can be had and
# give it: --build-arg PYTHON_DIGEST=@sha256:...; the workflow that publishes images does so.
ARG PYTHON_VERSION=3.13
ARG PYTHON_DIGEST=""

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST} AS build
ARG UV_VERSION=0.13.9
RUN python -m pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
# Compiled here: where the root file system is read-only, nothing can be compiled later.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    UV_PROJECT_ENVIRONMENT=/opt/rfm \
    UV_PYTHON=/usr/local/bin/python \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# What the lock file names first: this layer stays as it is while only our own code changes. Pictures are no work for
# a container, and what draws them is as large as all the rest.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev --all-extras --no-extra report --no-install-project
COPY README.md LICENSE ./
COPY src src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev --all-extras --no-extra report --no-editable

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST}
# Installers are of no use to a run.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip setuptools wheel \
 && groupadd --gid 10001 rfm \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin rfm \
 && install --directory --owner 10001 --group 10001 --mode 0755 /data
COPY --from=build /opt/rfm /opt/rfm
# Work that outgrows the memory goes to the volume, not to a /tmp that may be memory itself.
ENV PATH=/opt/rfm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/data
WORKDIR /data
# All that is written: results, and work that outgrows the memory. The rest of the file system can be read-only.
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["rfm"]
CMD ["run"]

# The rest of the labels (version, revision, digest of the base) is given by who knows it: a build with --label.
ARG PYTHON_VERSION
LABEL org.opencontainers.image.title="rfm-pipeline" \
      org.opencontainers.image.description="Recency, frequency and monetary value for every customer, scored and segmented." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:${PYTHON_VERSION}-slim-bookworm"
