# syntax=docker/dockerfile:1
# Kernel, image and binaries by the same make targets as outside; see
# cmd/patchbay/dockerfile_test.go for what holds the two together.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY Makefile go.mod ./
COPY deploy deploy
RUN make setup USE=build
COPY . .
RUN make build
ENV PATCHBAY_CACHE=/var/cache/patchbay
# The kernel takes minutes: a mount keeps it from one build to the next.
RUN --mount=type=cache,target=/var/cache/patchbay \
    make kernel image && cp -a /var/cache/patchbay /cache

FROM debian:bookworm-slim
COPY deploy /tmp/deploy
RUN /tmp/deploy/setup run && rm -rf /tmp/deploy /var/lib/apt/lists/* \
    && useradd --uid 10000 --create-home patchbay \
    && install -d -o patchbay -g patchbay /var/lib/patchbay
COPY --from=build --chown=patchbay /cache /var/cache/patchbay
COPY --from=build /src/bin/patchbay /src/bin/guestd /usr/local/bin/
ENV PATCHBAY_CACHE=/var/cache/patchbay \
    PATCHBAY_STATE=/var/lib/patchbay \
    PATCHBAY_LISTEN=0.0.0.0:8080
VOLUME /var/lib/patchbay
USER patchbay
EXPOSE 8080
ENTRYPOINT ["patchbay"]
CMD ["serve"]
