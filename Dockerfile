# One image for every process. The API is the default; `node dist/services/worker.js` and
# `node dist/services/migrate.js` are the others. Nothing is written outside /tmp.

FROM node:20-bookworm-slim AS build
WORKDIR /florin
COPY package.json package-lock.json ./
# No package needs its install script here, and some of them phone home.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
    && find node_modules -name '*.map' -delete

FROM node:20-bookworm-slim
# Outside a container the API listens on 127.0.0.1 only.
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /florin
COPY --from=build /florin/package.json ./
COPY --from=build /florin/node_modules node_modules
COPY --from=build /florin/dist dist
# The user `node`, as a number: an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1))"]
CMD ["node", "dist/services/api.js"]
