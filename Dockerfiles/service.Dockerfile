# The image that serves pages on a cluster, and submits runs to it: `pipelines`, without TensorFlow and
# all else that only steps need. What it installs says pipelines/images/service.py. Built by
# `slimline images build service`, which fills in the arguments.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS packages
LABEL slimline.part=packages
ARG PACKAGES
COPY constraints.txt ca-bundle.pem /build/
RUN if [ -s /build/ca-bundle.pem ]; then export PIP_CERT=/build/ca-bundle.pem; fi \
    && python3 -m venv --without-pip /opt/slimline \
    && python3 -m pip --python /opt/slimline/bin/python install --no-cache-dir --no-compile \
        --disable-pip-version-check --quiet --constraint /build/constraints.txt ${PACKAGES}

FROM ${BASE_IMAGE}
ARG IMAGE
ARG VERSION
ARG SOURCE_DIGEST
ARG ENVIRONMENT_DIGEST
LABEL org.opencontainers.image.title="slimline ${IMAGE}" \
      org.opencontainers.image.version="${VERSION}" \
      slimline.source="${SOURCE_DIGEST}" \
      slimline.environment="${ENVIRONMENT_DIGEST}"
COPY --from=packages /opt/slimline /opt/slimline
# Records of runs name the code of components and the versions that images have.
COPY constraints.txt /opt/slimline/app/
COPY components /opt/slimline/app/components
COPY pipelines /opt/slimline/app/pipelines
ENV PATH=/opt/slimline/bin:$PATH \
    PYTHONPATH=/opt/slimline/app \
    PYTHONUNBUFFERED=1 \
    HOME=/home/slimline
# The only folder that must be writable, beside /tmp: the index, and what runs export.
RUN mkdir --mode 0770 /home/slimline && chown 65532:65532 /home/slimline \
    && python -m compileall -q /opt/slimline/app /opt/slimline/lib
USER 65532:65532
WORKDIR /home/slimline
RUN python -m pipelines.cli serve --help >/dev/null
EXPOSE 8080
ENTRYPOINT ["python", "-m", "pipelines.cli"]
