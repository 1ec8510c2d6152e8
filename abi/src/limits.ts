// The most a host accepts from a guest, each with its reason; a table of plain numbers.

/** Units are the last word of each name. */
export const limits = {
  /** The largest filter known, a firewall with its rule set, has 26 MB: twice that and some. */
  moduleBytesMax: 67_108_864,
  /** Serialised header lists beyond this are refused; C++ hosts have the same number. */
  pairsBytesMax: 1_048_576,
  /** Entries of one serialised header list; C++ hosts have the same number. */
  pairsCountMax: 1024,
  /** The longest path a guest may ask for; the longest real one known has 120 bytes. */
  propertyPathBytesMax: 4096,
  /** One value kept for a stream by proxy_set_property; ten times a usual header block. */
  propertyValueBytesMax: 1_048_576,
  /** One line of proxy_log; what is longer is cut, so that a guest cannot flood the log by size. */
  logMessageBytesMax: 65_536,
  /** A metric's name; it becomes a line of every scrape. */
  metricNameBytesMax: 1024,
  /** A key of shared data or the name of a queue. */
  sharedKeyBytesMax: 4096,
  /** A value of shared data or an item of a queue. */
  sharedValueBytesMax: 1_048_576,
  /** What all guests of a process may keep in shared data and queues, with 16 to 32 bytes each. */
  sharedStoreBytes: 67_108_864,
  /** Queues of a process; their names stay for its life. */
  sharedQueuesMax: 4096,
  /** Gauges of all guests of a process; their names stay for its life. */
  sharedGaugesMax: 16_384,
  /** The name of a cluster, service, method or foreign function. */
  nameBytesMax: 4096,
  /** What one call of a foreign function may give a guest, such as unpacked bytes. */
  foreignResultBytesMax: 16_777_216,
  /** Properties that one plugin may declare; real ones declare a handful. */
  declaredPropertiesMax: 1024,
  /** Details of a local reply: they stand in one access log line. */
  localReplyDetailsBytesMax: 4096,
  /** Milliseconds of a callout's timeout: Envoy refuses what a signed 32-bit number cannot hold. */
  calloutTimeoutMsMax: 2_147_483_647,
  /** Bytes of one random_get; WASI hosts of Envoy refuse more. */
  randomBytesMax: 65_536,
  /** Vectors of one fd_write; IOV_MAX of Linux. */
  ioVectorsMax: 1024,
} as const;
