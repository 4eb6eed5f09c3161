# Hearwire's container images.
#
#   docker build -t hearwire .                      server and client, for CPUs and GPUs (float32); no LibTorch
#   docker build -t hearwire:cuda --target cuda .   with the LibTorch module and CUDA's libraries, for float16 (untested on a GPU)
#
#   docker run --rm --read-only -p 8001:8001 -p 8002:8002 -v ./models-dir:/models:ro hearwire
#
# docs/operations.md says more. BASE_IMAGE exists for builds without a registry.
ARG BASE_IMAGE=debian:bookworm-slim

# What both builds compile with.
FROM ${BASE_IMAGE} AS build-base
WORKDIR /src
# For networks with a certificate authority of their own: a file of the build's, named by --build-arg.
ARG PIP_CERT
COPY scripts/setup scripts/steps.sh scripts/cuda-compiler.txt scripts/libtorch-cpu.txt scripts/libtorch-cuda.txt scripts/
RUN apt-get update -q && apt-get install -yq --no-install-recommends ca-certificates && scripts/setup --no-torch

FROM build-base AS build-cpu
COPY . .
RUN cmake --preset cpu && cmake --build --preset cpu \
    && for component in server command; do cmake --install build/cpu --prefix /opt/hearwire --strip --component $component || exit 1; done

FROM build-base AS build-cuda
ARG PIP_CERT
RUN scripts/setup --cuda
COPY . .
RUN cmake --preset release && cmake --build --preset release \
    && for component in server command; do cmake --install build/release --prefix /opt/hearwire --strip --component $component || exit 1; done \
    && cmake --install build/release --prefix /opt/hearwire --component torch

# What both images run on: the shared libraries, a user, the ports.
FROM ${BASE_IMAGE} AS runtime
RUN apt-get update -q \
    && apt-get install -yq --no-install-recommends libgrpc++1.51 libprotobuf32 libabsl20220623 libprometheus-cpp-core1.0 \
       libcivetweb1 libsndfile1 libmpg123-0 libvorbis0a libopus0 libsoxr0 libhwy1 libspdlog1.10 libcurl4 libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hearwire \
    && mkdir /models
ENV PATH=/opt/hearwire/bin:$PATH \
    HEARWIRE_HOST=0.0.0.0 \
    HEARWIRE_MODEL_REPOSITORY=/models \
    HEARWIRE_LOG_FORMAT=json
# Which of the driver's parts a container with --gpus gets; the server takes the GPU when there is one, else the CPU.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /models
EXPOSE 8001 8002
USER 10001
# Always the same process 1: signals reach the server, SIGTERM drains.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD hearwire health --server "127.0.0.1:${HEARWIRE_GRPC_PORT:-8001}"
ENTRYPOINT ["hearwire-server"]
LABEL org.opencontainers.image.title="Hearwire" \
      org.opencontainers.image.description="Audio embeddings over gRPC: EfficientAT's MobileNetV3 networks through the HEAR interface" \
      org.opencontainers.image.licenses="MIT"

FROM runtime AS cuda
COPY --from=build-cuda /opt/hearwire /opt/hearwire

FROM runtime AS cpu
COPY --from=build-cpu /opt/hearwire /opt/hearwire
