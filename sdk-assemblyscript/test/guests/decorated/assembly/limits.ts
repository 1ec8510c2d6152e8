// Fields that the guest's configuration inherits from a class in another file.
@config
export class Limits {
  @duration("10s") @range("1ms", "1h") wait: u32;
  @bytes("1MiB") @range(0, "1GiB") bytesMax: u64;
}
