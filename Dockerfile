# Penstock in a container: one process, an ordinary user, a root file system that may be read-only. See docs/container.md.
#
#   docker build --tag penstock .
#
# For a build that gives the same image next year, pin the base as well, by the digest that its registry shows, and the time:
#   --build-arg PYTHON_IMAGE=docker.io/library/python:3.12-slim-bookworm@sha256:... --build-arg SOURCE_DATE_EPOCH=...
ARG PYTHON_IMAGE=docker.io/library/python:3.12-slim-bookworm

# What Penstock needs, in an environment without pip. The versions and the hashes of their files are in requirements/.
# The secret `pip.conf` is for machines that reach PyPI by a mirror of their own; it does not become part of the image.
FROM ${PYTHON_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
COPY requirements/image.txt scripts/trim_image.py ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m venv --without-pip /opt/penstock \
 && pip --python /opt/penstock/bin/python install --quiet --no-compile --only-binary :all: --no-deps --require-hashes \
      --requirement image.txt \
 && python trim_image.py /opt/penstock
# Compiled here, as nothing may be written where it runs, and by hash: times would differ from one build to the next.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/penstock/lib

# Penstock itself: a wheel, and what it is when it is installed.
FROM dependencies AS program
COPY requirements/image-build.txt ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m venv --without-pip /build/venv \
 && pip --python /build/venv/bin/python install --quiet --no-compile --only-binary :all: --no-deps --require-hashes \
      --requirement image-build.txt
WORKDIR /build/source
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY pipelines pipelines
COPY runner runner
RUN /build/venv/bin/hatchling build --target wheel --directory /build/wheel \
 && pip --python /opt/penstock/bin/python install --quiet --no-compile --no-warn-script-location --no-deps --no-index \
      --root /program /build/wheel/*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /program /program

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Penstock" \
      org.opencontainers.image.description="Commits become staged rollouts, the AWS CodeDeploy way" \
      org.opencontainers.image.licenses="Apache-2.0"
# Packages of Debian that a user needs beside Penstock: "openssh-client gpg openssl" for signed commits (docs/signed-commits.md).
ARG DEBIAN_PACKAGES=""
# hadolint ignore=DL3008,SC2086
RUN [ -z "$DEBIAN_PACKAGES" ] || { \
      apt-get update -q \
   && DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends $DEBIAN_PACKAGES \
   && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
             /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log; }
# No pip in what runs. The state folder belongs to the user, so that a new volume mounted there does, too.
RUN echo 'penstock:x:10001:10001:Penstock:/var/lib/penstock:/usr/sbin/nologin' >>/etc/passwd \
 && echo 'penstock:x:10001:' >>/etc/group \
 && install --directory --mode=0700 --owner=10001 --group=10001 /var/lib/penstock \
 && install --directory /etc/penstock \
 && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
COPY --from=dependencies /opt/penstock /opt/penstock
COPY --from=program /program/ /
ENV PATH=/opt/penstock/bin:$PATH \
    HOME=/var/lib/penstock \
    PENSTOCK_STATE=/var/lib/penstock \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# `penstock.toml` is looked for here.
WORKDIR /etc/penstock
USER 10001:10001
VOLUME /var/lib/penstock
EXPOSE 8300
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["penstock", "health"]
ENTRYPOINT ["penstock"]
CMD ["serve"]
