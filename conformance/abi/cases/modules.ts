// Modules of other shapes than compilers usually give, and the forms in which a configuration gives code
// and bytes.
import type { Case, Reasons, Scene } from "../case.ts";
import { call } from "../guest.ts";
import { makeCases, type NamedRow, type Row } from "../make-case.ts";

function row(name: string, doc: string): Row {
  const named: NamedRow = { name, chapter: "integration", doc };
  return { ...named, since: "0.1.0", until: null };
}

const works: Pick<Scene, "calls" | "exchange"> = {
  calls: [[call("proxy_get_header_map_value", 0, ":path"), "Ok [/a?b=c]"]],
  exchange: { status: 200 },
};

const shapes: readonly Scene[] = [
  { what: "a memory that the host gives", guest: { shape: "imported memory" }, ...works },
  { what: "a start section runs before all", guest: { shape: "start section" }, ...works },
  { what: "custom sections are nobody's business", guest: { shape: "custom sections" }, ...works },
  { what: "exports that nobody knows", guest: { shape: "more exports" }, ...works },
  { what: "a memory that grows in a callback", guest: { shape: "growing memory" }, ...works },
  { what: "no version", guest: { shape: "no version" }, isRefused: true },
  { what: "a version that nobody knows", guest: { shape: "unknown version" }, isRefused: true },
  { what: "an import that nobody has", guest: { shape: "unknown import" }, isRefused: true },
  {
    what: "an import of another signature",
    guest: { shape: "wrong import" },
    isRefused: true,
  },
  { what: "no module at all", guest: { shape: "no module" }, isRefused: true },
  { what: "the first half of one", guest: { shape: "half" }, isRefused: true },
  { what: "nothing", guest: { shape: "nothing" }, isRefused: true },
];

const reads = call("proxy_get_buffer_bytes", 7, 0, 100);

const forms: readonly Scene[] = [
  {
    what: "code that stands in the configuration",
    plugin: { isInline: true },
    ...works,
  },
  {
    what: "a configuration of any bytes",
    in: "proxy_on_configure",
    plugin: { config: new Uint8Array([0, 255, 0x41]) },
    calls: [[reads, "Ok [%00%ffA]"]],
    callbacks: { proxy_on_configure: {} },
    trace: ["proxy_on_configure(1,3)"],
  },
  {
    what: "a configuration of the VM, of any bytes",
    in: "proxy_on_vm_start",
    plugin: { vmConfig: new Uint8Array([254, 0]) },
    calls: [[call("proxy_get_buffer_bytes", 6, 0, 100), "Ok [%fe%00]"]],
    trace: ["proxy_on_vm_start(1,2)"],
  },
  {
    what: "none of the two",
    callbacks: { proxy_on_vm_start: {}, proxy_on_configure: {} },
    trace: ["proxy_on_vm_start(1,0)", "proxy_on_configure(1,0)"],
  },
  {
    what: "no vm_id, and no name",
    plugin: { vmId: "", name: "" },
    ...works,
  },
];

const silent: Reasons = { verdict: "envoy", spec: "Nothing: it is the host's configuration." };

export function moduleCases(): Case[] {
  return [
    ...makeCases(row("module-shapes", "What a module may look like."), shapes),
    ...makeCases(row("configuration-forms", "How code and bytes are given."), forms, silent),
  ];
}
