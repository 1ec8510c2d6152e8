// The check sum of gzip (RFC 1952, 8).

/** Goes on from a sum before, 0 at first. */
export function crc32(sum: u32, start: usize, length: u32): u32 {
  const table = memory.data(1024, 4);
  if (load<u32>(table, 4) == 0) fillTable(table);
  let rest = ~sum;
  for (let i: u32 = 0; i < length; i++) {
    const index = (rest ^ load<u8>(start + i)) & 255;
    rest = load<u32>(table + (<usize>index << 2)) ^ (rest >> 8);
  }
  return ~rest;
}

function fillTable(table: usize): void {
  for (let i: u32 = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320 : 0);
    store<u32>(table + (<usize>i << 2), value);
  }
}
