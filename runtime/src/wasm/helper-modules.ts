// Small modules of the host's own, for what JavaScript cannot do by itself.
/** Stands in the URL of the helper's frames, which are not the guest's. */
export const TRAP_MODULE_NAME = "host-trap";

//  (module $host-trap (func (export "trap") unreachable))
const TRAP_MODULE: readonly number[] = [
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02,
  0x01, 0x00, 0x07, 0x08, 0x01, 0x04, 0x74, 0x72, 0x61, 0x70, 0x00, 0x00, 0x0a, 0x05, 0x01, 0x03,
  0x00, 0x00, 0x0b, 0x00, 0x11, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x0a, 0x09, 0x68, 0x6f, 0x73,
  0x74, 0x2d, 0x74, 0x72, 0x61, 0x70,
];

/**
 * The helper that makes a trap. An error thrown by JavaScript can be caught by a guest's catch_all;
 * the error object that a trap makes cannot.
 */
export function createTrap(): () => void {
  const module = new WebAssembly.Module(new Uint8Array(TRAP_MODULE));
  return new WebAssembly.Instance(module).exports["trap"] as () => void;
}

export type HostCallback = () => void;

//  (module (import "h" "f" (func)) (export "f" (func 0)))
const SUPPLY_MODULE: readonly number[] = [
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x02, 0x07,
  0x01, 0x01, 0x68, 0x01, 0x66, 0x00, 0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00,
];

/** Makes of callbacks what a guest's global may hold: only functions of instances may be there. */
export function createSupplies(): (callback: HostCallback) => HostCallback {
  const module = new WebAssembly.Module(new Uint8Array(SUPPLY_MODULE));
  return (callback) => {
    const { exports } = new WebAssembly.Instance(module, { h: { f: callback } });
    return exports["f"] as HostCallback;
  };
}
