// Writing through a handle, for the two rungs that have one: at once as far as the kernel takes
// the bytes, the rest queued in libuv.
import { writeSync, writevSync } from "node:fs";
import { latin1 } from "../core/latin1.ts";
import { type EngineCore, readRoomBytes } from "./engine-core.ts";
import { KeptBytes } from "./kept-bytes.ts";
import type { StreamHandle, WriteRequest, WriteResult } from "./node-internals.ts";
import { gatherBytes } from "./node-io.ts";

/** A connection that writes through its handle. */
export interface HandleWriter {
  readonly core: EngineCore;
  /** Writes of which libuv holds bytes. */
  pendingWrites: number;
  readonly handle: StreamHandle;
  /** The handle's file descriptor; asked once, because asking is a call into C++. */
  fd: number;
  readonly canWriteSync: boolean;
  failLater(status: number): void;
  failLaterWith(code: string): void;
}

export function writeTextOn(io: HandleWriter, text: string): void {
  io.core.writeCalls += 1;
  const result = io.handle.writeLatin1String(null, text);
  if (result !== 0) notWhole(io, result, null);
}

export function writeBytesOn(io: HandleWriter, text: string, bytes: Buffer): void {
  if (text !== "" && text.length + bytes.length <= gatherBytes) {
    writeTextOn(io, text + latin1(bytes, 0, bytes.length));
    return;
  }
  io.core.writeCalls += 1;
  if (text === "") {
    const result = io.handle.writeBuffer(null, bytes);
    if (result !== 0) notWhole(io, result, bytes);
    return;
  }
  const chunks = [text, "latin1", bytes, "buffer"];
  const result = io.handle.writev(null, chunks, false);
  if (result !== 0) notWhole(io, result, chunks);
}

/** libuv would keep a pointer to what the kernel does not take, so lent bytes never go to it. */
export function writeLentOn(
  io: HandleWriter,
  text: string,
  buffer: Buffer,
  from: number,
  to: number,
): void {
  if (text.length + to - from <= gatherBytes && text !== "") {
    writeTextOn(io, text + latin1(buffer, from, to));
    return;
  }
  if (io.pendingWrites > 0 || !io.canWriteSync) {
    writeCopyOn(io, text, buffer, from, to);
    return;
  }
  const core = io.core;
  if (text !== "") {
    const at = placeInRoom(core, buffer, from);
    if (at >= text.length && text.length <= readRoomBytes) {
      writeHeadInRoom(io, text, at, at + to - from);
      return;
    }
    writeTextOn(io, text);
    if (io.pendingWrites > 0) {
      writeCopyOn(io, "", buffer, from, to);
      return;
    }
  }
  writeLentBytes(io, buffer, from, to);
}

/** Where `buffer[from]` stands in the engine's room, or -1 when it does not. */
function placeInRoom(core: EngineCore, buffer: Buffer, from: number): number {
  if (buffer.buffer !== core.room.buffer) return -1;
  return buffer.byteOffset - core.room.byteOffset + from;
}

/** Head and lent body leave as one plain write: the head is put in front of the body. */
function writeHeadInRoom(io: HandleWriter, text: string, at: number, to: number): void {
  const { room, scratch } = io.core;
  const start = at - text.length;
  // What the head covers in the read area was not lent to us, so it is put back afterwards.
  const covered = Math.max(start, readRoomBytes);
  const hasCovered = covered < at;
  if (hasCovered) room.copy(scratch, 0, covered, at);
  room.write(text, start, text.length, "latin1");
  writeLentBytes(io, room, start, to);
  if (hasCovered) scratch.copy(room, covered, 0, at - covered);
}

/** Lent bytes between two texts. */
export function writeFramedOn(
  io: HandleWriter,
  text: string,
  buffer: Buffer,
  from: number,
  to: number,
  behind: string,
): void {
  if (text.length + to - from + behind.length <= gatherBytes) {
    writeTextOn(io, text + latin1(buffer, from, to) + behind);
    return;
  }
  const { scratch } = io.core;
  const hasRoom = text.length + behind.length <= scratch.length;
  if (hasRoom && io.pendingWrites === 0 && io.canWriteSync) {
    const end = text.length + scratch.write(behind, text.length, "latin1");
    scratch.write(text, 0, "latin1");
    writeLentPieces(io, [
      scratch.subarray(0, text.length),
      buffer.subarray(from, to),
      scratch.subarray(text.length, end),
    ]);
    return;
  }
  writeLentOn(io, text, buffer, from, to);
  if (io.canWriteSync || io.pendingWrites > 0) writeTextOn(io, behind);
}

function writeLentPieces(io: HandleWriter, pieces: readonly Buffer[]): void {
  if (io.fd < 0) io.fd = io.handle.fd;
  io.core.writeCalls += 1;
  let taken = 0;
  try {
    taken = writevSync(io.fd, pieces);
  } catch (error) {
    if (!isRefusal(io, error)) return;
  }
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  noteTaken(io.core, taken, size);
  let skip = taken;
  for (const piece of pieces) {
    if (skip < piece.length) writeCopyOn(io, "", piece, skip, piece.length);
    skip = Math.max(0, skip - piece.length);
  }
}

function writeLentBytes(io: HandleWriter, buffer: Buffer, from: number, to: number): void {
  const core = io.core;
  if (io.fd < 0) io.fd = io.handle.fd;
  core.writeCalls += 1;
  let taken = 0;
  try {
    taken = writeSync(io.fd, buffer, from, to - from);
  } catch (error) {
    if (!isRefusal(io, error)) return;
  }
  noteTaken(core, taken, to - from);
  if (taken < to - from) writeCopyOn(io, "", buffer, from + taken, to);
}

/** Of bytes that are lent. */
function writeCopyOn(
  io: HandleWriter,
  text: string,
  buffer: Buffer,
  from: number,
  to: number,
): void {
  const kept = new KeptBytes(buffer, from, to);
  if (!kept.hasBlocks) {
    writeBytesOn(io, text, kept.pieces[0] as Buffer);
    return;
  }
  if (text !== "") writeTextOn(io, text);
  io.core.writeCalls += 1;
  const result = io.handle.writev(null, kept.pieces, true);
  if (result === 0 || !notWhole(io, result, kept)) kept.release();
}

/** The kernel has no room now; otherwise the connection has failed. */
function isRefusal(io: HandleWriter, error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  if (code === "EAGAIN" || code === "EINTR") return true;
  io.failLaterWith(typeof code === "string" ? code : "EIO");
  return false;
}

function noteTaken(core: EngineCore, taken: number, size: number): void {
  if (taken === size) core.lentWhole += 1;
  else if (taken === 0) core.lentRefused += 1;
  else core.lentPartial += 1;
}

/** Answers whether libuv holds bytes. */
function notWhole(io: HandleWriter, result: WriteResult, kept: unknown): boolean {
  if (typeof result === "number") {
    io.failLater(result);
    return false;
  }
  // Over before we could hang on to it; libuv's streams do not do this today.
  if (result.writeStatus !== null) {
    if (result.writeStatus < 0) io.failLater(result.writeStatus);
    return false;
  }
  result.oncomplete = onWritten;
  result.handle = io.handle;
  result.buffer = kept;
  io.pendingWrites += 1;
  return true;
}

/** `oncomplete` of all our writes. */
export function onWritten(this: WriteRequest, status: number): void {
  if (this.buffer instanceof KeptBytes) this.buffer.release();
  this.buffer = null;
  this.handle?.io?.handleWritten(status);
}
