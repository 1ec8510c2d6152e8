// Protocol Buffers, behind exports.
import { ProtoReader, ProtoWriter } from "@headgate/sdk-assemblyscript/kit/protobuf";
import { bytesOf, giveBytes, giveText, numberOf, textOf } from "./exchange";

/** One field of every kind. */
export function proto_write(double: f64): usize {
  const writer = new ProtoWriter();
  const number = numberOf(0);
  writer.u64(1, <u64>number);
  writer.i64(2, number);
  writer.signed(3, number);
  writer.bool(4, (number & 1) != 0);
  writer.double(5, double);
  writer.float(6, <f32>double);
  writer.fixed64(7, <u64>number);
  writer.fixed32(8, <u32>number);
  writer.text(9, textOf(1));
  writer.bytes(10, bytesOf(2));
  const inner = new ProtoWriter();
  inner.text(1, "inner");
  writer.message(536870911, inner);
  return giveBytes(writer.finish());
}

/** Every field in every way, a line each; "broken" at the end of what is no message. */
export function proto_read(): usize {
  const reader = new ProtoReader(bytesOf(0));
  let all = "";
  while (reader.next()) {
    const inner = reader.message();
    let fields = 0;
    while (inner.next()) fields++;
    const parts: string[] = [
      reader.field.toString(),
      reader.u64().toString(),
      reader.i64().toString(),
      reader.u32().toString(),
      reader.i32().toString(),
      reader.signed().toString(),
      reader.bool().toString(),
      reader.double().toString(),
      reader.bytes().length.toString(),
      fields.toString(),
      reader.text(),
    ];
    all += parts.join(" ") + "\n";
  }
  return giveText(reader.isBroken ? all + "broken" : all);
}
