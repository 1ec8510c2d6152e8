// What every-field.test.ts need not show.

export const CONFIG = "envoy.config";
const EXTENSIONS = "envoy.extensions";
export const MANAGER: string = `${EXTENSIONS}.filters.network.http_connection_manager.v3`;
export const TLS_V3: string = `${EXTENSIONS}.transport_sockets.tls.v3`;

/** Fields that decide what is refused: other tests show that they do. */
export const shownElsewhere: readonly string[] = [
  // Without it there is no certificate, which is wrong; files, passwords and the system's roots are
  // read in tls-context-reader.test.ts.
  `${TLS_V3}.DownstreamTlsContext.common_tls_context`,
  `${TLS_V3}.TlsCertificate.password`,
  `${TLS_V3}.TlsCertificate.watched_directory`,
  `${TLS_V3}.CertificateValidationContext.system_root_certs`,
  `${TLS_V3}.CertificateValidationContext.watched_directory`,
  // One of their fields must be set, or is a list; see listener-reader.test.ts.
  `${CONFIG}.listener.v3.ListenerFilter.filter_disabled`,
  `${CONFIG}.listener.v3.AdditionalAddress.socket_options`,
  // Too deep for a made-up value; its messages have contexts of their own.
  `${CONFIG}.bootstrap.v3.Bootstrap.overload_manager`,
  `${CONFIG}.overload.v3.ResourceMonitor.typed_config`,
  `${CONFIG}.overload.v3.OverloadManager.actions`,
  `${CONFIG}.overload.v3.OverloadManager.loadshed_points`,
  `${CONFIG}.overload.v3.OverloadAction.triggers`,
  `${CONFIG}.route.v3.RouteConfiguration.validate_clusters`,
  `${MANAGER}.HttpConnectionManager.set_current_client_cert_details`,
  // Of remote code only; see wasm-reader.test.ts.
  `${EXTENSIONS}.wasm.v3.VmConfig.nack_on_code_cache_miss`,
  // Its type may not be empty, as made-up values are.
  `${CONFIG}.route.v3.RouteAction.upgrade_configs`,
  `${CONFIG}.route.v3.RouteConfiguration.max_direct_response_body_size_bytes`,
];
