# Rollcall as a small image: the one binary on a slim Debian, as a user without rights. Build it from this folder:
#     docker build --tag rollcall .

# The version of rust-toolchain.toml. That file stays outside: it would fetch formatter and lints, too.
FROM rust:1.95.0-slim-bookworm AS build
# C and C++ compilers, make and perl: the Kafka client and its OpenSSL are built from source.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates g++ gcc libc6-dev make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What cargo fetched and built is kept from build to build, outside the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package rollcall \
    && install -D --strip target/release/rollcall /out/rollcall

# One small program that can ask for a page: the health check of an image without any other.
FROM busybox:1.37-musl AS busybox

FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=busybox /bin/busybox /usr/local/bin/busybox
COPY --from=build /out/rollcall /usr/local/bin/rollcall
RUN groupadd --gid 10001 rollcall \
    && useradd --uid 10001 --gid rollcall --no-create-home --home-dir /var/lib/rollcall rollcall \
    && install --directory --owner rollcall --group rollcall --mode 0700 /var/lib/rollcall
USER 10001:10001
WORKDIR /var/lib/rollcall
VOLUME /var/lib/rollcall
# The configuration is mounted here; `log.path` and `admin.socket` point below /var/lib/rollcall.
ENV ROLLCALL_CONFIG=/etc/rollcall/rollcall.toml \
    HEALTH_URL=http://127.0.0.1:8080/readyz
EXPOSE 8080
# Longer than `server.stop_grace` is for the orchestrator to allow: SIGTERM ends it cleanly.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/bin/sh", "-c", "exec busybox wget -q -O /dev/null \"$HEALTH_URL\""]
ENTRYPOINT ["rollcall"]
CMD ["run"]
