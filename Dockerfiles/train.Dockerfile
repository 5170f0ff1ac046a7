# train: everything that TensorFlow touches: ingest, train, distill, prune, quantize, convert.
# Built by `slimline images build`, which fills in the arguments.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS packages
LABEL slimline.part=packages
ARG PACKAGES
COPY constraints.txt ca-bundle.pem /build/
# A closed network may sign the package index with a bundle of its own; an empty file means none.
# pip is the base's: the image itself needs none.
RUN if [ -s /build/ca-bundle.pem ]; then export PIP_CERT=/build/ca-bundle.pem; fi \
    && python3 -m venv --without-pip /opt/slimline \
    && python3 -m pip --python /opt/slimline/bin/python install --no-cache-dir --no-compile \
        --disable-pip-version-check --quiet --constraint /build/constraints.txt ${PACKAGES}

FROM ${BASE_IMAGE}
ARG VERSION
ARG SOURCE_DIGEST
ARG ENVIRONMENT_DIGEST
LABEL org.opencontainers.image.title="slimline train" \
      org.opencontainers.image.version="${VERSION}" \
      slimline.source="${SOURCE_DIGEST}" \
      slimline.environment="${ENVIRONMENT_DIGEST}"
COPY --from=packages /opt/slimline /opt/slimline
COPY components /opt/slimline/app/components
ENV PATH=/opt/slimline/bin:$PATH \
    PYTHONPATH=/opt/slimline/app \
    PYTHONHASHSEED=0 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    TF_USE_LEGACY_KERAS=1 \
    TF_ENABLE_ONEDNN_OPTS=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    SLIMLINE_IMAGE=train
USER 65532:65532
WORKDIR /tmp
# The label says what steps run in; hold it against what is really there.
RUN python -c "from components.contract.images import environment_digest as of; \
    found = of('train'); assert found == '${ENVIRONMENT_DIGEST}', found"
HEALTHCHECK --interval=1m --timeout=1m CMD ["python", "-m", "components.contract.doctor"]
ENTRYPOINT ["python", "-m", "components"]
