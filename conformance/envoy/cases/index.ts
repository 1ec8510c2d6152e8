// All groups and configuration cases, in the order in which they run.
import type { ConfigCase, Group } from "../case.ts";
import { absentPlugins } from "./absent-plugins.ts";
import { accessLog } from "./access-log.ts";
import { balancing } from "./balancing.ts";
import { BASIC_AUTH_CONFIG_CASES, basicAuth } from "./basic-auth.ts";
import { callouts } from "./callouts.ts";
import { chainMatcher } from "./chain-matcher.ts";
import { chains } from "./chains.ts";
import { CONFIG_CASES as OTHER_CONFIG_CASES } from "./config.ts";
import { LISTENER_CONFIG_CASES } from "./config-listener.ts";
import { UPSTREAM_FILTER_CONFIG_CASES } from "./config-upstream-filters.ts";
import { TLS_CONFIG_CASES } from "./config-tls.ts";
import { connectionFaults } from "./connection-faults.ts";
import { cors } from "./cors.ts";
import { downstreamTls } from "./downstream-tls.ts";
import { edge } from "./edge.ts";
import { failures } from "./failures.ts";
import { filterRoutes } from "./filter-routes.ts";
import { filters } from "./filters.ts";
import { forwarding } from "./forwarding.ts";
import { grpcFilters } from "./grpc-filters.ts";
import { HEADER_MUTATION_CONFIG_CASES, headerMutation } from "./header-mutation.ts";
import { listenerLog } from "./listener-log.ts";
import { localReplies } from "./local-replies.ts";
import { mixedConnections } from "./mixed-connections.ts";
import { mutation } from "./mutation.ts";
import { networkFilters } from "./network-filters.ts";
import { originalDestination } from "./original-destination.ts";
import { overload } from "./overload.ts";
import { paths } from "./paths.ts";
import { guestFilterState } from "./guest-filter-state.ts";
import { guestFunctions } from "./guest-functions.ts";
import { guestPhases } from "./guest-phases.ts";
import { guestProperties } from "./guest-properties.ts";
import { proxyEdges } from "./proxy-edges.ts";
import { proxyProtocol } from "./proxy-protocol.ts";
import { redirects } from "./redirects.ts";
import { routing } from "./routing.ts";
import { runtime } from "./runtime.ts";
import { sockets } from "./sockets.ts";
import { tcp } from "./tcp.ts";
import { timeouts } from "./timeouts.ts";
import { sdkFilters } from "./sdk-filters.ts";
import { sdkGuests } from "./sdk-guests.ts";
import { tlsPeers } from "./tls-peers.ts";
import { tunnels } from "./tunnels.ts";
import { upgradeEdges } from "./upgrade-edges.ts";
import { upgrades } from "./upgrades.ts";
import { upstreamFilters } from "./upstream-filters.ts";
import { upstreamProxy } from "./upstream-proxy.ts";
import { upstreamTlsGroup } from "./upstream-tls.ts";
import { validation } from "./validation.ts";
import { versions } from "./versions.ts";
import { WASM_CONFIG_CASES, wasmFaults } from "./wasm-faults.ts";
import { wasmField } from "./wasm-field.ts";
import { wasmGrpc } from "./wasm-grpc.ts";
import { wasmReplyGrpc } from "./wasm-reply-grpc.ts";
import { wasmLogFaults } from "./wasm-log-faults.ts";
import { wasmReload } from "./wasm-reload.ts";
import { wasmStreams } from "./wasm-streams.ts";
import { wasmTcp } from "./wasm-tcp.ts";

/** What is taken and what is refused. */
export const CONFIG_CASES: readonly ConfigCase[] = [
  ...OTHER_CONFIG_CASES,
  ...LISTENER_CONFIG_CASES,
  ...TLS_CONFIG_CASES,
  ...UPSTREAM_FILTER_CONFIG_CASES,
  ...WASM_CONFIG_CASES,
  ...BASIC_AUTH_CONFIG_CASES,
  ...HEADER_MUTATION_CONFIG_CASES,
];

export const GROUPS: readonly Group[] = [
  forwarding,
  validation,
  versions,
  paths,
  routing,
  redirects,
  mutation,
  edge,
  failures,
  timeouts,
  connectionFaults,
  localReplies,
  filters,
  cors,
  basicAuth,
  headerMutation,
  filterRoutes,
  callouts,
  upstreamFilters,
  absentPlugins,
  balancing,
  runtime,
  overload,
  accessLog,
  listenerLog,
  upgrades,
  tunnels,
  tcp,
  networkFilters,
  originalDestination,
  sockets,
  chains,
  chainMatcher,
  proxyProtocol,
  downstreamTls,
  tlsPeers,
  upstreamTlsGroup,
  upstreamProxy,
  guestFilterState,
  guestFunctions,
  guestPhases,
  mixedConnections,
  upgradeEdges,
  proxyEdges,
  guestProperties,
  wasmField,
  wasmTcp,
  wasmStreams,
  wasmGrpc,
  grpcFilters,
  wasmReplyGrpc,
  wasmFaults,
  wasmLogFaults,
  wasmReload,
  sdkGuests,
  sdkFilters,
];
